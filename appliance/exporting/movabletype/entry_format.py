"""Formatting an entry as a block of Movable Type's text format.

A reader that follows Movable Type's rules understands the block, and importing it here and exporting it again gives the
same bytes. Values that the format cannot express are normalized: white space in a title becomes one blank, and every
line ends with a line feed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from appliance import clock
from appliance.content import markup
from appliance.content.excerpts import MORE_MARKER, plain_text, without_ids
from appliance.content.html_elements import replace_elements
from appliance.content.models import Comment, Entry, Ping, Site
from appliance.content.terms import slugify

_END, _PART = "--------\n", "-----\n"
_MORE_SEPARATOR = "\n\n<!-- more -->\n\n"
_STATUSES = {"published": "Publish", "draft": "Draft", "scheduled": "Future"}
#: Words of the text that become the title of an entry without one.
_TITLE_WORDS = 5

_DASHES = re.compile(r"^((?:-{3})?-{5} *)$", re.MULTILINE)
_SEGMENT = re.compile(r"[^\s/\\?#%:*\"<>|\x00-\x1f]+")
_COMMENT_KEY = re.compile(r"(?:AUTHOR|EMAIL|IP|URL|DATE|SECRET|PASS)\s*:")
_EXTRA_KEY = re.compile(r"(?=.{2,40}$)[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_FIELD_KEY = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Za-z0-9-]+)+")
#: Keys with a meaning of their own to an importer.
_RESERVED = frozenset(
    {
        "author", "author_email", "title", "basename", "status", "allow_comments", "allow_pings", "convert_breaks",
        "primary_category", "category", "date", "tags", "no_entry", "unique_url", "private_tags", "keywords",
        "start_body",
    }
)  # fmt: skip
_LATE_LINK = re.compile(r"<a\s(?=[^<>]*>)[^<>]*?href=[\"']appliance:[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]+>")
_LATE = re.compile(r"=[\"']appliance:", re.IGNORECASE)
_BLANK_LINES = re.compile(r"\A(?:[ \t]*\n)+")


@dataclass(frozen=True, slots=True)
class EntryRecord:
    """An entry with everything that its block contains. Names are as they are written, the primary category first."""

    site: Site
    zone: tzinfo
    entry: Entry
    author: str
    categories: Sequence[str]
    tags: Sequence[str]
    comments: Sequence[Comment]
    pings: Sequence[Ping]


def format_entry(record: EntryRecord) -> str:
    """The block of an entry, including the separator at its end."""
    extra = json.loads(record.entry.extra)
    body, more = split_at_more(record.entry)
    sections = [("BODY", body), ("EXTENDED BODY", more), ("EXCERPT", _excerpt(record.entry, body, more))]
    sections.append(("KEYWORDS", _keywords(extra)))
    sections += [(key, _normalize_lines(value)) for key, value in sorted(extra.items()) if _is_field(key, value)]
    sections += [("COMMENT", _comment(comment, record.zone)) for comment in record.comments]
    sections += [("PING", _ping(ping, record.zone)) for ping in record.pings]
    body_lines = [f"{key}:\n{_escape_dashes(text)}\n{_PART}" for key, text in sections]
    meta = "".join(f"{key}: {value}\n" for key, value in _meta(record, extra))
    return f"{meta}{_PART}{''.join(body_lines)}{_END}"


def split_at_more(entry: Entry) -> tuple[str, str]:
    """The text before and after `<!-- more -->`, or the whole text and nothing if a split would change its HTML."""
    text = _normalize_lines(entry.text)
    found = MORE_MARKER.search(text)
    if found is None:
        return text, ""
    body, more = text[: found.start()].rstrip(), _BLANK_LINES.sub("", text[found.end() :])
    if not body or not more.strip() or not _is_between_blocks(text, found, entry.format):
        return text, ""
    joined = markup.render_text(body + _MORE_SEPARATOR + more, format=entry.format)
    if _comparable(joined) != _comparable(markup.render_text(text, format=entry.format)):
        return text, ""
    return body, more


def _escape_dashes(text: str) -> str:
    return _DASHES.sub(r"\1 ", text)


def single_line(text: str) -> str:
    """`text` in one line."""
    return " ".join(text.replace("\0", "").split())


def quote_tag(tag: str) -> str:
    """A tag for a comma-separated list, quoted if necessary."""
    if not re.search(r"[,\s]|^[\"']", tag):
        return tag
    quote = "'" if '"' in tag and "'" not in tag else '"'
    return quote + tag.replace('"', '""' if quote == '"' else '"') + quote


def format_date(timestamp: int, zone: tzinfo) -> str:
    """A time as the local date and time in `zone`."""
    local = clock.to_datetime(timestamp, zone)
    half = "PM" if local.hour >= 12 else "AM"
    day = f"{local.month:02}/{local.day:02}/{local.year:04}"
    return f"{day} {local.hour % 12 or 12:02}:{local.minute:02}:{local.second:02} {half}"


def _meta(record: EntryRecord, extra: Mapping[str, Any]) -> list[tuple[str, str]]:
    entry = record.entry
    meta = [
        ("AUTHOR", record.author),
        ("TITLE", _title(entry)),
        ("BASENAME", _basename(entry)),
        ("STATUS", _STATUSES[entry.status]),
        ("ALLOW COMMENTS", "1" if entry.allow_comments else "0"),
        ("CONVERT BREAKS", "markdown" if entry.format == "markdown" else "0"),
        ("ALLOW PINGS", "1" if extra.get("allow_pings") is True else "0"),
    ]
    meta += [("UNIQUE URL", address)] if (address := _unique_url(record, extra)) else []
    meta += [("PRIMARY CATEGORY", name) for name in record.categories[:1]]
    meta += [("CATEGORY", name) for name in record.categories]
    meta.append(("DATE", format_date(entry.published_at, record.zone)))
    if tags := _tags(record.tags, extra.get("private_tags")):
        meta.append(("TAGS", ",".join(map(quote_tag, tags))))
    for key, value in sorted(extra.items()):
        if _EXTRA_KEY.fullmatch(key) and key not in _RESERVED and (header := _header_value(value)):
            meta.append((key.upper().replace("_", " "), header))
    return meta


def _tags(tags: Sequence[str], private: Any) -> list[str]:
    """The public tags, then the private ones, which start with @."""
    more = [single_line(tag) for tag in private if isinstance(tag, str)] if isinstance(private, list) else []
    private_tags = [tag for tag in [*tags, *more] if tag.startswith("@")]
    return list(dict.fromkeys([*(tag for tag in tags if not tag.startswith("@")), *private_tags]))


def _title(entry: Entry) -> str:
    return single_line(entry.title) or " ".join(plain_text(entry.html).split()[:_TITLE_WORDS]) or _basename(entry)


def _basename(entry: Entry) -> str:
    slug = entry.slug
    is_plain = _SEGMENT.fullmatch(slug) and not slug.startswith(".") and len(slug.encode()) <= 180
    return slug if is_plain else slugify(slug)


def _unique_url(record: EntryRecord, extra: Mapping[str, Any]) -> str:
    if record.entry.address:
        return f"{record.site.url.rstrip('/')}/{record.entry.address}"
    url = extra.get("unique_url")
    return single_line(url) if isinstance(url, str) else ""


def _header_value(value: Any) -> str:
    """A value of `extra` as one line, or an empty string if it does not fit in one."""
    if isinstance(value, str):
        return "" if "\n" in _normalize_lines(value).strip() else _normalize_lines(value).strip()
    return json.dumps(value) if isinstance(value, (bool, int, float)) else ""


def _is_field(key: str, value: Any) -> bool:
    return bool(_FIELD_KEY.fullmatch(key)) and isinstance(value, str) and bool(value.strip())


def _keywords(extra: Mapping[str, Any]) -> str:
    keywords = extra.get("keywords")
    if isinstance(keywords, list):
        keywords = ", ".join(single_line(keyword) for keyword in keywords if isinstance(keyword, str))
    return _normalize_lines(keywords).strip() if isinstance(keywords, str) else ""


def _excerpt(entry: Entry, body: str, more: str) -> str:
    """The excerpt as HTML without links within the site; empty if it is derived from the text."""
    unlinked = replace_elements(entry.excerpt, _LATE_LINK, lambda _link: "</a>", lambda _link, content: content)
    excerpt = without_ids(_normalize_lines(_TAG.sub(lambda tag: "" if _LATE.search(tag[0]) else tag[0], unlinked)))
    if excerpt and not excerpt.startswith("<"):
        excerpt = f"<p>{excerpt}</p>"
    text = body + _MORE_SEPARATOR + more if more else body
    derived = markup.render(text, format=entry.format).excerpt
    is_derived = excerpt == derived or (entry.late_bound and plain_text(excerpt) == plain_text(derived))
    return "" if is_derived else excerpt


def _comment(comment: Comment, zone: tzinfo) -> str:
    text = _normalize_lines(comment.text).strip().replace("&", "&amp;").replace("<", "&lt;")
    if _COMMENT_KEY.match(text):  # a reader of the format would take the first line for a header
        text = f"&#{ord(text[0])};{text[1:]}"
    meta = {
        "AUTHOR": single_line(comment.author_name),
        "EMAIL": single_line(comment.author_email),
        "IP": "",
        "URL": single_line(comment.author_url),
        "DATE": format_date(comment.created_at, zone),
    }
    return "".join(f"{key}: {value}\n" for key, value in meta.items()) + text


def _ping(ping: Ping, zone: tzinfo) -> str:
    meta = {
        "TITLE": single_line(ping.title),
        "URL": single_line(ping.url),
        "IP": single_line(ping.ip),
        "BLOG NAME": single_line(ping.blog_name),
        "DATE": format_date(ping.at, zone),
    }
    return "".join(f"{key}: {value}\n" for key, value in meta.items()) + _normalize_lines(ping.text).strip()


def _normalize_lines(text: str) -> str:
    """`text` with line feeds as line ends."""
    return re.sub(r"\r\n?", "\n", text.replace("\0", ""))


def _is_between_blocks(text: str, found: re.Match[str], format: str) -> bool:
    """Whether `<!-- more -->` is between lines or, in HTML, between elements."""
    before, after = text[: found.start()].rstrip(" \t")[-1:], text[found.end() :].lstrip(" \t")[:1]
    ends = ("\n", "") if format != "html" else ("\n", "", ">", "<")
    return before in ends and after in ends


def _comparable(rendered: str) -> str:
    return "<!-- more -->".join(part.strip() for part in MORE_MARKER.split(rendered))
