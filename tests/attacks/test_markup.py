"""No field of a reader does anything on the page, in the feed, the preview, the form or the search."""

from __future__ import annotations

import re
import urllib.parse
import xml.etree.ElementTree as ET

import html5lib

from tests.attacks.vectors import VECTORS
from tests.web_stack import WebStack

_ADDRESSES = {
    "href",
    "src",
    "action",
    "formaction",
    "data",
    "xlink:href",
    "poster",
    "background",
    "srcset",
    "cite",
    "ping",
}
_SCHEMES = ("http:", "https:", "mailto:", "data:image/svg+xml")
_REFUSED = {
    *(
        "iframe",
        "object",
        "embed",
        "base",
        "math",
        "style",
        "template",
        "portal",
        "frame",
        "frameset",
        "applet",
        "marquee",
    ),
    *("video", "audio", "noscript", "xmp", "plaintext", "foreignObject", "animate", "set"),
}
_HTML = "{http://www.w3.org/1999/xhtml}"


def faults(page: str, where: str, own: set[str]) -> list[str]:
    """Return what of a page would run, fetch or send; `own` are the addresses of what the site itself loads."""
    found = []
    for element in html5lib.parse(page).iter():
        if not isinstance(element.tag, str):
            continue
        name = element.tag.removeprefix(_HTML).rpartition("}")[2]
        if name in _REFUSED:
            found.append(f"{where}: <{name}>")
        if name == "script" and element.attrib.get("src") not in own:
            found.append(f"{where}: a script {element.attrib} {element.text!r}")
        if name == "link" and element.attrib.get("href") not in own:
            found.append(f"{where}: a link {element.attrib}")
        if name == "meta" and "http-equiv" in element.attrib and element.attrib["http-equiv"] != "refresh":
            found.append(f"{where}: a meta {element.attrib}")
        for key, value in element.attrib.items():
            attribute = str(key).rpartition("}")[2].lower()
            plain = "".join(value.split()).lower().lstrip("".join(map(chr, range(33))))
            if attribute.startswith("on") or attribute in ("style", "srcdoc"):
                found.append(f"{where}: {name} {attribute}={value!r}")
            if attribute in _ADDRESSES and re.match(r"[a-z][a-z0-9+.-]*:", plain) and not plain.startswith(_SCHEMES):
                found.append(f"{where}: {name} {attribute}={value!r}")
            loading = name in ("img", "input", "source", "form", "button") and attribute in (
                "src",
                "action",
                "formaction",
            )
            if loading and plain.startswith(("http", "//")):
                found.append(f"{where}: {name} fetches {value!r}")
    return found


def loads(page: str) -> set[str]:
    """Return the addresses of the scripts and links of a page."""
    tree = html5lib.parse(page, namespaceHTMLElements=False)
    return {e.attrib[k] for t, k in (("script", "src"), ("link", "href")) for e in tree.iter(t) if k in e.attrib}


def test_vectors_are_many() -> None:
    assert len(set(VECTORS)) == len(VECTORS) > 200


def test_a_page_that_runs_something_is_noticed() -> None:
    for text in (
        "<img src=x onerror=hit()>",
        "<script>hit()</script>",
        "<a href='java\tscript:x'>",
        "<svg onload=x>",
        "<iframe>",
    ):
        assert faults(f"<p>{text}", "here", set())


def test_published_comments_do_nothing(stack: WebStack) -> None:
    bare = stack.page("first")
    own, kept = loads(bare), 0
    before = faults(bare, "the page", own)
    assert set(before) <= {"the page: <template>"}, "the theme's own, without a comment"
    empty = loads(_form(stack))
    for number, vector in enumerate(VECTORS):
        stack.source = f"127.1.{number % 256}.1"
        others = ({"name": vector}, {"website": vector}, {"email": vector}) if number % 4 == 0 else ()
        for fields in ({"text": vector}, *others):
            sent = {"text": f"Words {number} of {next(iter(fields))}.", **fields}
            sendable = vector.isascii() and vector.isprintable()
            headers = {"User_Agent": vector, "Referer": f"{stack.fronts[0].url}?{vector}"} if sendable else {}
            answer = stack.comment("first", str(sent.pop("text")), headers=headers, **sent)
            kept += answer.status == 303
            if answer.status != 303:
                assert answer.status < 500, (fields, answer.text[-500:])
                assert not faults(answer.text, f"the form after {fields}", own | empty)
    assert kept > len(VECTORS) / 2
    page = stack.await_that(lambda: _with_all(stack, "first"))
    assert faults(page, "the page", own) == before
    assert "hit()" in page, "the vectors are there, as text"
    feed = stack.get("/feed.xml")
    assert feed.status == 200
    ET.fromstring(feed.body)
    assert b"hit()" not in feed.body


def _form(stack: WebStack) -> str:
    return stack.get(stack.endpoint(f"comments?entry={stack.entry_id('first')}")).text


def _with_all(stack: WebStack, slug: str) -> str:
    page = stack.page(slug)
    count = sum(comment.status == "approved" for comment in stack.comments())
    return page if page.count('class="comment"') == count else ""


def test_previews_searches_and_forms_do_nothing(stack: WebStack) -> None:
    form = _form(stack)
    own = loads(form)
    entry = stack.entry_id("second")
    for number, vector in enumerate(VECTORS):
        stack.source = f"127.2.{number % 256}.1"
        if number % 4 == 0:
            fields = dict.fromkeys(("name", "text", "website", "email", "notify", "token", "topic", "parent"), vector)
            answer = stack.post(stack.endpoint(), {"entry": entry, "action": "preview", **fields})
            assert answer.status < 500, (vector, answer.text[-500:])
            assert not faults(answer.text, f"the preview of {vector!r}", own)
        sent = {"entry": entry, "action": "preview", "name": vector, "text": vector}
        answer = stack.post(stack.endpoint(), sent)
        assert answer.status < 500, (vector, answer.text[-500:])
        assert not faults(answer.text, f"the preview of {vector!r}", own)
        quoted = urllib.parse.quote(vector)
        for path in (f"search?q={quoted}", f"comments?entry={entry}&parent={quoted}", f"comments?entry={quoted}",
                     f"comments/status?receipt={quoted}", f"comments/delete?receipt={quoted}",
                     f"notices/confirm?token={quoted}"):  # fmt: skip
            answer = stack.get(stack.endpoint(path))
            assert answer.status < 500, (path, answer.status, answer.text[-500:])
            assert not faults(answer.text, path, own | loads(answer.text) if number == 0 else own), path
            assert "Content-Security-Policy" in answer.headers
            assert "unsafe-inline" not in answer.headers["Content-Security-Policy"]
