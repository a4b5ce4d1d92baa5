"""What readers may say where: closed entries, drafts, answers, and what a field may hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from appliance import editorial
from appliance.content import comments, contact_details, entries, entry_edits
from appliance.content.models import Comment, Entry
from appliance.errors import ContentError
from tests.local_site import LocalSite, local_site


@pytest.fixture
def shop(tmp_path: Any) -> Any:
    with local_site(tmp_path) as made:
        yield made


Say = Callable[[LocalSite, Entry, Any], object]
BY_CONTENT: Say = lambda shop, entry, parent: comments.add(entry, "Ida", "Hello", parent=parent)  # noqa: E731
BY_EDITORIAL: Say = lambda shop, entry, parent: editorial.add_comment(  # noqa: E731
    shop.config, "", entry, "Hello", author="Ida", reply_to=parent, later=True
)


@pytest.mark.parametrize("say", [BY_CONTENT, BY_EDITORIAL])
@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ({"allow_comments": False}, "“Post” accepts no comments; allow comments on it first"),
        ({"status": "draft"}, "“Post” is not published; publish it before commenting on it"),
        ({"status": "scheduled"}, "“Post” is not published"),
    ],
)
def test_a_closed_entry_accepts_no_comments(shop: LocalSite, say: Say, state: dict[str, Any], sentence: str) -> None:
    entry = shop.save("Post", **state)
    with pytest.raises(ContentError, match=sentence):
        say(shop, entry, None)
    assert Comment.select().count() == 0


def test_an_entry_closed_or_removed_meanwhile_accepts_no_comments(shop: LocalSite) -> None:
    """The row that the caller holds is out of date."""
    entry = shop.save("Post")
    entry_edits.edit(Entry.get_by_id(entry.id), allow_comments=False)
    with pytest.raises(ContentError, match="accepts no comments"):
        comments.add(entry, "Ida", "Hello")
    entries.delete(Entry.get_by_id(entry.id))
    with pytest.raises(ContentError, match="“Post” was removed"):
        comments.add(entry, "Ida", "Hello")


@pytest.mark.parametrize("say", [BY_CONTENT, BY_EDITORIAL])
def test_only_an_approved_comment_of_the_entry_gets_replies(shop: LocalSite, say: Say) -> None:
    entry, other = shop.save("Post"), shop.save("Other")
    elsewhere = comments.add(other, "Bo", "There")
    held = comments.add(entry, "Bo", "Held", status="pending")
    spam = comments.add(entry, "Bo", "Buy", status="spam")
    with pytest.raises(ContentError, match="is on another entry"):
        say(shop, entry, elsewhere)
    for hidden in (held, spam):
        with pytest.raises(ContentError, match=f"comment {hidden.id} is not approved"):
            say(shop, entry, hidden)
    comments.delete(spam)
    with pytest.raises(ContentError, match=r"removed|no comment"):
        say(shop, entry, spam)
    comments.set_status(held, "approved")
    say(shop, entry, held)


def test_imported_comments_are_accepted_on_any_entry(shop: LocalSite) -> None:
    entry = shop.save("Post", status="draft", allow_comments=False)
    made, left_out = comments.add_imported(entry, "Ida", "Hello", email="not mail", url="javascript:alert(1)")
    assert (made.author_email, made.author_url, len(left_out)) == ("", "", 2)
    bare, left_out = comments.add_imported(
        entry, "\u200b", "a\x00b\ud800", email="ida@example.org", url="https://ida.example/"
    )
    assert (bare.author_name, bare.text, left_out) == ("Anonymous", "ab", [])
    assert (bare.author_email, bare.author_url) == ("ida@example.org", "https://ida.example/")


GOOD: dict[str, Any] = {"author_name": "Ida", "text": "Hello"}
REFUSED = [
    {"author_name": ""},
    {"author_name": "x" * 121},
    {"author_name": "\U0001f469" * 110},
    {"author_name": "a\x00b"},
    {"author_name": "a\x07b"},
    {"author_name": "a\x9bb"},
    {"author_name": "\u202egro.live\u202c"},
    {"author_name": "a\u2066b"},
    {"author_name": "\u200b\u200d"},
    {"author_name": "\u3164"},
    {"author_name": "\u2800"},
    {"author_name": "\u0301"},
    {"author_name": "a\ud800"},
    {"author_name": "a\uffff"},
    {"text": ""},
    {"text": "\u200b"},
    {"text": "x" * 20_001},
    {"text": "\U0001f469" * 16_000},
    {"text": "a\x00b"},
    {"text": "a\x1b[31mb"},
    {"text": "a\udc00b"},
    {"text": "a\u202eb"},
    {"email": "x" * 5_000_000},
    {"email": "x" * 250 + "@example.org"},
    {"email": "ida"},
    {"email": "ida@"},
    {"email": "@example.org"},
    {"email": "i da@example.org"},
    {"email": "ida@example..org"},
    {"email": "ida@example.org\nBcc: all@example.org"},
    {"email": "ida@example.org,bo@example.org"},
    {"email": "ida\x00@example.org"},
    {"email": "ida@exam\u202eple.org"},
    {"url": "javascript:alert(1)"},
    {"url": "JaVaScRiPt:alert(1)"},
    {"url": "java\nscript:alert(1)"},
    {"url": "data:text/html,x"},
    {"url": "vbscript:x"},
    {"url": "file:///etc/passwd"},
    {"url": "mailto:ida@example.org"},
    {"url": "//example.org"},
    {"url": "http://"},
    {"url": "http://[::1"},
    {"url": "https://example.org/" + "x" * 500},
    {"url": "https://example.org/\x00"},
    {"url": "https://example.org/\u202e"},
    {"url": "https://example.org/\ud800"},
    {"url": 'https://example.org/"onclick="x'},
]


@pytest.mark.parametrize("given", REFUSED, ids=lambda given: ascii(given)[:40])
def test_an_invalid_field_is_refused(shop: LocalSite, given: dict[str, str]) -> None:
    entry = shop.save("Post")
    with pytest.raises(ContentError) as refused:
        comments.add(entry, **{**GOOD, **given})
    assert len(str(refused.value)) < 250
    assert str(refused.value).encode()
    there = comments.add(entry, **GOOD)
    with pytest.raises(ContentError):
        comments.edit(there, **given)
    assert Comment.select().count() == 1
    # An import drops the detail, or the comment that says nothing, and goes on.
    if set(given) & {"email", "url"}:
        kept, left_out = comments.add_imported(entry, **{**GOOD, **given})
        assert ((kept.author_email, kept.author_url), len(left_out)) == (("", ""), 1)


@pytest.mark.parametrize(
    "given",
    [
        {"author_name": "نور"},
        {"author_name": "O’Brien-Łukasz, 3rd"},
        {"author_name": "👩\u200d🚒 Ida"},
        {"author_name": "x" * 120},
        {"text": "a\nb\tc"},
        {"text": "x" * 20_000},
        {"text": "أهلا\u200f!"},
        {"email": "ida+blog@sub.example.org"},
        {"email": "ida@localhost"},
        {"email": "o'brien@bücher.example"},
        {"url": "HTTPS://Example.org/a?b=c#d"},
        {"url": "http://bücher.example/ä"},
        {"url": "http://[::1]:8080/"},
    ],
)
def test_a_valid_field_is_accepted(shop: LocalSite, given: dict[str, str]) -> None:
    made = comments.add(shop.save("Post"), **{**GOOD, **given})
    kept = {"author_name": made.author_name, "text": made.text, "email": made.author_email, "url": made.author_url}
    assert {key: kept[key] for key in given} == given


def test_unicode_is_normalized(shop: LocalSite) -> None:
    made = comments.add(shop.save("Post"), " Rene\u0301  X ", "cafe\u0301\r\nb")
    assert (made.author_name, made.text) == ("Ren\u00e9 X", "caf\u00e9\nb")


def test_imported_authors_have_safe_addresses() -> None:
    assert contact_details.url_or_empty("mailto:ida@example.org") == "mailto:ida@example.org"
    assert contact_details.url_or_empty("https://ida.example/") == "https://ida.example/"
    for bad in ("javascript:alert(1)", "mailto:javascript:x", "mailto:a@b?body=x y", "ftp://x/", "ida"):
        assert contact_details.url_or_empty(bad) == ""
    assert (contact_details.email_or_empty("ida@example.org"), contact_details.email_or_empty("ida")) == (
        "ida@example.org",
        "",
    )
