"""The form of an entry that grows too old goes from every front end by itself."""

from __future__ import annotations

from pathlib import Path

from appliance import db
from appliance.content import entries
from appliance.content.entries import EntryData
from appliance.content.models import Site
from tests.web_stack import SITE, web_stack

FORM = 'class="comment-form"'


def test_the_form_goes_from_every_front_end_when_the_day_has_come(tmp_path: Path) -> None:
    with web_stack(tmp_path, comments={"close_after": 2}) as stack:
        closes = int(db.now()) + 6
        data = EntryData(title="Ageing", slug="ageing", text="Text.", published_at=closes - 2 * 86_400)
        entries.save(Site.get(Site.name == SITE), data)
        path = "/2026/11/ageing/"
        for front in (0, 1):
            stack.await_that(lambda n=front: FORM in stack.get(path, n).text)
        assert stack.comment("ageing", "In time.").status < 400
        for front in (0, 1):
            stack.await_that(lambda n=front: FORM not in stack.get(path, n).text)
            assert "Comments are closed." in stack.await_that(
                lambda n=front: _with(stack.get(path, n).text, "In time.")
            )
        assert db.now() >= closes
        assert stack.comment("ageing", "Too late.").status == 422


def _with(page: str, text: str) -> str:
    return page if text in page else ""
