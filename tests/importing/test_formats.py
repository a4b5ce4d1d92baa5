from pathlib import Path

import pytest

from appliance.config import Config
from appliance.content.models import Entry
from appliance.errors import ContentError
from appliance.importing import formats
from tests.importing.wxr import item, write

MOVABLE_TYPE = "TITLE: Hello\nDATE: 05/01/2024 10:00:00\n-----\nBODY:\nWords.\n-----\n--------\n"


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    """Something of each format."""
    folder = tmp_path / "posts"
    folder.mkdir()
    (folder / "2024-05-01-hello.md").write_text("# Hello\n")
    (tmp_path / "export.txt").write_text(MOVABLE_TYPE)
    return {
        "markdown": folder,
        "movabletype": tmp_path / "export.txt",
        "wordpress": write(tmp_path / "export.xml", item(1, "Hello")),
    }


@pytest.mark.parametrize("name", formats.FORMATS[1:])
def test_each_format_is_detected_and_imported(config: Config, places: dict[str, Path], name: str) -> None:
    for requested in ("auto", name):
        assert formats.detect_format(places[name], requested) == name
    report = formats.import_content(config, "blog", places[name])
    assert report.added == 1
    assert Entry.get().title == "Hello"
    assert formats.import_content(config, "blog", places[name], name, remove=True).changed_nothing


def test_unknown_formats_are_refused(config: Config, places: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(bytes(range(256)) * 10)
    (tmp_path / "empty").write_bytes(b"")
    for path, format, words in (
        (
            tmp_path / "noise",
            "auto",
            "has no format that can be imported; name a folder of Markdown, a WordPress export",
        ),
        (tmp_path / "empty", "auto", "has no format"),
        (tmp_path / "none", "auto", "does not exist"),
        (places["markdown"], "blogger", "“blogger” is not a format to import"),
        (places["markdown"], "wordpress", "is a folder"),
        (places["wordpress"], "movabletype", "export.xml"),
        (places["movabletype"], "wordpress", "is not a WordPress export"),
        (places["movabletype"], "markdown", "is not a folder"),
    ):
        with pytest.raises(ContentError, match=words):
            formats.import_content(config, "blog", path, format)
    assert not Entry.select().exists()


def test_an_option_of_another_format_is_refused(config: Config, places: dict[str, Path]) -> None:
    with pytest.raises(ContentError, match="format markdown, which has no uploads"):
        formats.import_content(config, "blog", places["markdown"], uploads=places["markdown"])
    with pytest.raises(ContentError, match="format wordpress, which has no encoding"):
        formats.import_content(config, "blog", places["wordpress"], encoding="latin-1")
