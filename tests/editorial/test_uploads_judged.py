"""Uploads from the network: what is accepted under which name."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from appliance.editorial import upload_judgement
from appliance.editorial.upload_judgement import Accepted
from appliance.errors import ContentError

PAGE = b"<!doctype html><script>alert(1)</script>"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("uploads")
    made = {}
    for form, suffix in (("PNG", "png"), ("JPEG", "jpg"), ("GIF", "gif"), ("WEBP", "webp")):
        made[suffix] = folder / f"picture.{suffix}"
        Image.new("RGB", (8, 8), "red").save(made[suffix], form)
    contents = {
        "html": PAGE, "pdf": b"%PDF-1.7\n", "text": b"plain text\n", "zip": b"PK\x03\x04rest", "binary": b"a\0b",
        "mp4": b"\0\0\0\x18ftypmp42", "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>",
        "torn": (folder / "picture.png").read_bytes()[:40], "js": b"alert(1)",
    }  # fmt: skip
    for name, content in contents.items():
        made[name] = folder / name
        made[name].write_bytes(content)
    return made


ACCEPTED = [
    ("png", "cat.png"), ("jpg", "cat.JPG"), ("jpg", "a/b/cat.jpeg"), ("gif", "cat.gif"), ("webp", "cat.webp"),
    ("pdf", "paper.pdf"), ("text", "notes.txt"), ("text", "table.csv"), ("zip", "all.zip"), ("mp4", "film.mp4"),
]  # fmt: skip
NEVER = [
    ("html", "cat.png"), ("jpg", "cat.png"), ("png", "paper.pdf"), ("torn", "cat.png"), ("html", "notes.txt"),
    ("svg", "notes.csv"), ("binary", "notes.txt"), ("text", "film.mp4"), ("png", ".htaccess"), ("png", "a/.hidden.png"),
    ("png", "cat.png "), ("png", "cat\u202egnp.png"),
]  # fmt: skip
BY_EDITORS = [("html", "page.html"), ("svg", "cat.svg"), ("js", "app.js"), ("html", "x.php"), ("text", "noname")]


@pytest.mark.parametrize("accepts", ["matching", "harmless"])
@pytest.mark.parametrize(("kind", "path"), ACCEPTED)
def test_what_matches_its_name_is_accepted(files: dict[str, Path], kind: str, path: str, accepts: Accepted) -> None:
    upload_judgement.judge(files[kind], path, accepts)


@pytest.mark.parametrize("accepts", ["matching", "harmless"])
@pytest.mark.parametrize(("kind", "path"), NEVER)
def test_what_does_not_is_refused(files: dict[str, Path], kind: str, path: str, accepts: Accepted) -> None:
    with pytest.raises(ContentError, match=r"[.;,]"):
        upload_judgement.judge(files[kind], path, accepts)


@pytest.mark.parametrize(("kind", "path"), BY_EDITORS)
def test_what_browsers_run_is_for_those_who_may_publish_html(files: dict[str, Path], kind: str, path: str) -> None:
    upload_judgement.judge(files[kind], path, "matching")
    with pytest.raises(ContentError, match="browsers might run"):
        upload_judgement.judge(files[kind], path, "harmless")


def test_a_picture_that_would_be_enormous_is_refused(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.png"
    Image.new("1", (20_000, 20_000)).save(bomb)
    with pytest.raises(ContentError, match="pixels"):
        upload_judgement.judge(bomb, "bomb.png", "harmless")


def test_whoever_has_a_shell_may_upload_anything(files: dict[str, Path]) -> None:
    upload_judgement.judge(files["html"], "cat.png", "anything")
