"""One entry as a block of the format.

Guarantees that what is written means the same to whoever reads it by the rules of Movable Type, and that our import
gives back what, written again, is the same bytes. What the format has no way to say is put in the one form that it
has: white space of a title is one blank, a line ends with a line feed.
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
from appliance.content.excerpts import MORE, plain_text, without_ids
from appliance.content.models import Comment, Entry, Ping, Site
from appliance.content.terms import slugify

_END, _PART = "--------\n", "-----\n"
_JOINT = "\n\n<!-- more -->\n\n"
_STATUSES = {"published": "Publish", "draft": "Draft", "scheduled": "Future"}
_TITLE_WORDS = 5

_OWN_DASHES = re.compile(r"^((?:-{3})?-{5} *)$", re.MULTILINE)
_SEGMENT = re.compile(r"[^\s/\\?#%:*\"<>|\x00-\x1f]+")
_REMARK_KEY = re.compile(r"(?:AUTHOR|EMAIL|IP|URL|DATE|SECRET|PASS)\s*:")
_EXTRA_KEY = re.compile(r"(?=.{2,40}$)[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_FIELD_KEY = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Za-z0-9-]+)+")
#: Keys that mean something of their own to an importer.
_RESERVED = frozenset(
    {
        "author", "author_email", "title", "basename", "status", "allow_comments", "allow_pings", "convert_breaks",
        "primary_category", "category", "date", "tags", "no_entry", "unique_url", "private_tags", "keywords",
        "start_body",
    }
)  # fmt: skip
_LATE_LINK = re.compile(r"<a\s[^>]*?href=[\"']appliance:[^>]*>(.*?)</a>", re.DOTALL | re.IGNORECASE)
_LATE_TAG = re.compile(r"<[^<>]+=[\"']appliance:[^<>]*>", re.IGNORECASE)
_BLANK_LINES = re.compile(r"\A(?:[ \t]*\n)+")


@dataclass(frozen=True, slots=True)
class Writing:
    """What is written of an entry. Names are as they shall be written, the primary category first."""

    site: Site
    zone: tzinfo
    entry: Entry
    author: str
    categories: Sequence[str]
    tags: Sequence[str]
    comments: Sequence[Comment]
    pings: Sequence[Ping]


def block(writing: Writing) -> str:
    """The lines of an entry, its end mark included."""
    extra = json.loads(writing.entry.extra)
    body, more = parted(writing.entry)
    parts = [("BODY", body), ("EXTENDED BODY", more), ("EXCERPT", _excerpt(writing.entry, body, more))]
    parts.append(("KEYWORDS", _keywords(extra)))
    parts += [(key, _lines(value)) for key, value in sorted(extra.items()) if _is_field(key, value)]
    parts += [("COMMENT", _comment(comment, writing.zone)) for comment in writing.comments]
    parts += [("PING", _ping(ping, writing.zone)) for ping in writing.pings]
    written = [f"{key}:\n{_guarded(text)}\n{_PART}" for key, text in parts]
    meta = "".join(f"{key}: {value}\n" for key, value in _meta(writing, extra))
    return f"{meta}{_PART}{''.join(written)}{_END}"


def parted(entry: Entry) -> tuple[str, str]:
    """The text before and after `<!-- more -->`; all of it before, if parting it would show a difference."""
    text = _lines(entry.text)
    found = MORE.search(text)
    if found is None:
        return text, ""
    body, more = text[: found.start()].rstrip(), _BLANK_LINES.sub("", text[found.end() :])
    if not body or not more.strip() or not _is_apart(text, found, entry.format):
        return text, ""
    joined = markup.text_html(body + _JOINT + more, format=entry.format)
    if _comparable(joined) != _comparable(markup.text_html(text, format=entry.format)):
        return text, ""
    return body, more


def _guarded(text: str) -> str:
    return _OWN_DASHES.sub(r"\1 ", text)


def single(text: str) -> str:
    """`text` in one line."""
    return " ".join(text.replace("\0", "").split())


def quoted(tag: str) -> str:
    """A tag as it stands between commas."""
    if not re.search(r"[,\s]|^[\"']", tag):
        return tag
    mark = "'" if '"' in tag and "'" not in tag else '"'
    return mark + tag.replace('"', '""' if mark == '"' else '"') + mark


def date(moment: int, zone: tzinfo) -> str:
    """A moment as a clock on the wall in `zone` shows it."""
    at = clock.local(moment, zone)
    half = "PM" if at.hour >= 12 else "AM"
    day = f"{at.month:02}/{at.day:02}/{at.year:04}"
    return f"{day} {at.hour % 12 or 12:02}:{at.minute:02}:{at.second:02} {half}"


def _meta(writing: Writing, extra: Mapping[str, Any]) -> list[tuple[str, str]]:
    entry = writing.entry
    meta = [
        ("AUTHOR", writing.author),
        ("TITLE", _title(entry)),
        ("BASENAME", _basename(entry)),
        ("STATUS", _STATUSES[entry.status]),
        ("ALLOW COMMENTS", "1" if entry.allow_comments else "0"),
        ("CONVERT BREAKS", "markdown" if entry.format == "markdown" else "0"),
        ("ALLOW PINGS", "1" if extra.get("allow_pings") is True else "0"),
    ]
    meta += [("UNIQUE URL", address)] if (address := _unique_url(writing, extra)) else []
    meta += [("PRIMARY CATEGORY", name) for name in writing.categories[:1]]
    meta += [("CATEGORY", name) for name in writing.categories]
    meta.append(("DATE", date(entry.published_at, writing.zone)))
    if tags := _tags(writing.tags, extra.get("private_tags")):
        meta.append(("TAGS", ",".join(map(quoted, tags))))
    for key, value in sorted(extra.items()):
        if _EXTRA_KEY.fullmatch(key) and key not in _RESERVED and (told := _told(value)):
            meta.append((key.upper().replace("_", " "), told))
    return meta


def _tags(tags: Sequence[str], private: Any) -> list[str]:
    """The tags readers see, then those they do not, which begin with @."""
    more = [single(tag) for tag in private if isinstance(tag, str)] if isinstance(private, list) else []
    hidden = [tag for tag in [*tags, *more] if tag.startswith("@")]
    return list(dict.fromkeys([*(tag for tag in tags if not tag.startswith("@")), *hidden]))


def _title(entry: Entry) -> str:
    return single(entry.title) or " ".join(plain_text(entry.html).split()[:_TITLE_WORDS]) or _basename(entry)


def _basename(entry: Entry) -> str:
    slug = entry.slug
    is_plain = _SEGMENT.fullmatch(slug) and not slug.startswith(".") and len(slug.encode()) <= 180
    return slug if is_plain else slugify(slug)


def _unique_url(writing: Writing, extra: Mapping[str, Any]) -> str:
    if writing.entry.address:
        return f"{writing.site.url.rstrip('/')}/{writing.entry.address}"
    given = extra.get("unique_url")
    return single(given) if isinstance(given, str) else ""


def _told(value: Any) -> str:
    """A value of `extra` that one line can say."""
    if isinstance(value, str):
        return "" if "\n" in _lines(value).strip() else _lines(value).strip()
    return json.dumps(value) if isinstance(value, (bool, int, float)) else ""


def _is_field(key: str, value: Any) -> bool:
    return bool(_FIELD_KEY.fullmatch(key)) and isinstance(value, str) and bool(value.strip())


def _keywords(extra: Mapping[str, Any]) -> str:
    given = extra.get("keywords")
    if isinstance(given, list):
        given = ", ".join(single(one) for one in given if isinstance(one, str))
    return _lines(given).strip() if isinstance(given, str) else ""


def _excerpt(entry: Entry, body: str, more: str) -> str:
    """The author's own summary as HTML; nothing if it is what the text begins with."""
    excerpt = without_ids(_lines(_LATE_TAG.sub("", _LATE_LINK.sub(r"\1", entry.excerpt))))
    if excerpt and not excerpt.startswith("<"):
        excerpt = f"<p>{excerpt}</p>"
    text = body + _JOINT + more if more else body
    derived = markup.render(text, format=entry.format).excerpt
    same = excerpt == derived or (entry.late_bound and plain_text(excerpt) == plain_text(derived))
    return "" if same else excerpt


def _comment(comment: Comment, zone: tzinfo) -> str:
    said = _lines(comment.text).strip().replace("&", "&amp;").replace("<", "&lt;")
    if _REMARK_KEY.match(said):
        said = f"&#{ord(said[0])};{said[1:]}"
    meta = {
        "AUTHOR": single(comment.author_name), "EMAIL": single(comment.author_email), "IP": "",
        "URL": single(comment.author_url), "DATE": date(comment.created_at, zone),
    }  # fmt: skip
    return "".join(f"{key}: {value}\n" for key, value in meta.items()) + said


def _ping(ping: Ping, zone: tzinfo) -> str:
    meta = {
        "TITLE": single(ping.title), "URL": single(ping.url), "IP": single(ping.ip),
        "BLOG NAME": single(ping.blog_name), "DATE": date(ping.at, zone),
    }  # fmt: skip
    return "".join(f"{key}: {value}\n" for key, value in meta.items()) + _lines(ping.text).strip()


def _lines(text: str) -> str:
    """`text` with line feeds as the only ends of lines."""
    return re.sub(r"\r\n?", "\n", text.replace("\0", ""))


def _is_apart(text: str, found: re.Match[str], format: str) -> bool:
    """Whether `<!-- more -->` stands between lines or, in HTML, between elements."""
    before, after = text[: found.start()].rstrip(" \t")[-1:], text[found.end() :].lstrip(" \t")[:1]
    ends = ("\n", "") if format != "html" else ("\n", "", ">", "<")
    return before in ends and after in ends


def _comparable(rendered: str) -> str:
    return "<!-- more -->".join(part.strip() for part in MORE.split(rendered))
