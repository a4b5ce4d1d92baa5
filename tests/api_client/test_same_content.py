"""Commands about files, terms and sources print the same and leave the same audit rows by the API."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.api_client.comparison import acts, settled, words_of
from tests.api_client.conftest import Make

pytestmark = pytest.mark.slow

#: Commands in the order in which people give them; FILE, OTHER and PICTURE are files of the machine.
LINES: tuple[tuple[str, ...], ...] = (
    ("content.add --later --date=2026-11-20 --author=Ann --tag=a --tag=b --category=News/Local", "First"),
    ("content.add --later --date=2026-11-21 --author=Bob --tag=b --category=News --category=World", "Second"),
    ("content.assets",),
    ("content.upload --later FILE",),
    ("content.upload --later FILE",),
    ("content.upload --later OTHER --path=notes.txt",),
    ("content.upload --later PICTURE --path=pictures/dot.png --entry=first",),
    ("content.upload --later FILE --path=../up.txt",),
    ("content.upload --later FILE --entry=nosuch",),
    ("content.upload --later /nosuch/file.txt",),
    ("content.upload --later /",),
    ("content.upload --later FILE --path=twice.txt",),
    ("content.assets",),
    ("content.assets --json --path=NOTES",),
    ("content.assets --entry=first --limit=1",),
    ("content.assets --entry=nosuch",),
    ("content.assets --site=nosuch",),
    ("content.move-asset --later notes.txt --to=moved/notes.txt",),
    ("content.move-asset --later moved/notes.txt --to=moved/notes.txt",),
    ("content.move-asset --later moved/notes.txt --to=twice.txt",),
    ("content.move-asset --later nosuch.txt --to=other.txt",),
    ("content.move-asset --later 2",),
    ("content.remove-asset --later nosuch.txt twice.txt",),
    ("content.remove-asset --later",),
    ("content.remove-asset --later twice.txt",),
    ("content.remove-asset --later moved/notes.txt pictures/dot.png",),
    ("content.terms tag",),
    ("content.terms category --json",),
    ("content.terms nosuch",),
    ("content.rename --later tag a --to", "An apple", "--slug=apple"),
    ("content.rename --later tag apple --to", "An apple"),
    ("content.rename --later tag apple --to=b",),
    ("content.rename --later tag nosuch --to=c",),
    ("content.rename --later tag apple --parent=World",),
    ("content.rename --later category News/Local --parent=World",),
    ("content.rename --later category World/Local --parent=",),
    ("content.rename --later author ann --to", "Ann Other"),
    ("content.rename --later author ann",),
    ("content.merge --later tag apple --into=b",),
    ("content.merge --later tag b --into=b",),
    ("content.merge --later tag b --into=nosuch",),
    ("content.merge --later tag nosuch --into=b",),
    ("content.merge --later tag b",),
    ("content.delete-term --later tag b",),
    ("content.delete-term --later tag b",),
    ("content.delete-term --later category News",),
    ("content.terms author",),
    ("content.terms category",),
    ("content.show 1 --json",),
    ("content.sources",),
    ("content.sources --site=blog --json",),
    ("content.sources --site=nosuch",),
)  # fmt: skip


def test_files_and_terms_are_edited_as_on_the_host(make: Make, tmp_path: Path) -> None:
    host, elsewhere = make(), make()
    files = {"FILE": tmp_path / "notes.txt", "OTHER": tmp_path / "other.txt", "PICTURE": tmp_path / "picture.png"}
    files["FILE"].write_text("Some notes.\n")
    files["OTHER"].write_text("Other notes.\n" * 20_000)  # more than one chunk
    Image.new("RGB", (3, 2)).save(files["PICTURE"])
    wrong = []
    for line in map(words_of, LINES):
        first, *rest = line
        for name, file in files.items():
            first = first.replace(name, str(file))
        here, there = host.local(first, *rest), elsewhere.remote(first, *rest)
        has_folders = first.startswith("content.sources") and here.status == 0  # each installation has its own
        if not has_folders and settled(there, elsewhere) != settled(here, host):
            wrong.append((line, there, here))
        if "--later" not in first:
            both = elsewhere.local(first, *rest)
            assert (there.out, there.status) == (both.out, both.status), line
    assert wrong == []
    assert acts(elsewhere) == acts(host)
    done = [row["action"] for row in acts(host)]
    assert {"asset.upload", "asset.replace", "asset.delete", "term.edit", "term.delete"} <= set(done), done
