"""The sample content as files: its links lead somewhere, its pictures are small and described, its comments belong."""

from __future__ import annotations

import re
import tomllib
from datetime import datetime
from pathlib import Path

import pytest
from PIL import Image

from appliance.demo.sample import COMMENTS, CONTENT
from appliance.importing.markdown import frontmatter

TEXTS = sorted(CONTENT.rglob("*.md"))
PICTURES = sorted(f for f in CONTENT.rglob("*") if f.suffix in (".jpg", ".png"))


def slug(text: Path) -> str:
    stem = text.parent.name if text.stem == "index" else text.stem
    return re.sub(r"^\d{4}-\d\d-\d\d-", "", stem)


def test_there_is_nothing_but_texts_and_pictures() -> None:
    assert {f for f in CONTENT.rglob("*") if f.is_file()} == {*TEXTS, *PICTURES}
    assert len(PICTURES) == 12


@pytest.mark.parametrize("text", TEXTS, ids=slug)
def test_links_lead_to_files_and_pictures_are_described(text: Path) -> None:
    body = re.sub(r"```.*?```", "", frontmatter.split(text.read_bytes()).text, flags=re.DOTALL)
    for mark, words, address in re.findall(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)", body):
        assert (text.parent / address.partition("#")[0]).is_file(), address
        assert len(words) >= (20 if mark else 1), f"{address}: {words!r} does not describe it"


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_pictures_are_wide_small_and_used(picture: Path) -> None:
    with Image.open(picture) as image:
        assert image.width == 1600
    assert picture.stat().st_size < 150_000
    assert f"({picture.name})" in (picture.parent / "index.md").read_text("utf-8")


def test_comments_answer_comments_on_their_entry() -> None:
    slugs = {slug(text) for text in TEXTS}
    seen: dict[str, dict[str, object]] = {}
    for said in tomllib.loads(COMMENTS.read_text("utf-8"))["comments"]:
        assert said["entry"] in slugs
        assert isinstance(said["at"], datetime)
        assert said["at"].tzinfo
        if "reply_to" in said:
            answered = seen[said["reply_to"]]
            assert (answered["entry"], True) == (said["entry"], answered["at"] < said["at"])  # type: ignore[operator]
        assert said["id"] not in seen
        seen[said["id"]] = said
    assert len(seen) > 25
