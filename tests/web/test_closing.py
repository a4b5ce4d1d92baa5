"""The form of an entry that grows too old goes from every front end by itself."""

from __future__ import annotations

from pathlib import Path

from appliance import clock, db
from appliance.content import entries
from appliance.content.entries import EntryData
from appliance.content.models import Site
from tests.web_stack import PATIENCE, SITE, WebStack, web_stack

FORM = 'class="comment-form"'


def test_the_form_goes_from_every_front_end_when_the_day_has_come(tmp_path: Path) -> None:
    with web_stack(tmp_path, comments={"close_after": 2}) as stack:
        began = clock.monotonic()
        _save("Measured", int(db.now()))
        _await_form(stack, "/2026/11/measured/")
        closes = int(db.now() + max(6.0, 4 * (clock.monotonic() - began)))
        _save("Ageing", closes - 2 * 86_400)
        path = _await_form(stack, "/2026/11/ageing/")
        assert stack.comment("ageing", "In time.").status < 400
        assert db.now() < closes, "it is still open"
        for front in (0, 1):
            stack.await_that(lambda n=front: FORM not in stack.get(path, n).text, 2 * PATIENCE)
            assert "Comments are closed." in stack.await_that(
                lambda n=front: _with(stack.get(path, n).text, "In time.")
            )
        assert db.now() >= closes
        assert stack.comment("ageing", "Too late.").status == 422


def _save(title: str, published_at: int) -> None:
    data = EntryData(title=title, slug=title.lower(), text="Text.", address=f"2026/11/{title.lower()}",
                     published_at=published_at)  # fmt: skip
    entries.save(Site.get(Site.name == SITE), data)


def _await_form(stack: WebStack, path: str) -> str:
    """Wait until both front ends show a page with its form."""
    for front in (0, 1):
        stack.await_that(lambda n=front: FORM in stack.get(path, n).text)
    return path


def _with(page: str, text: str) -> str:
    return page if text in page else ""
