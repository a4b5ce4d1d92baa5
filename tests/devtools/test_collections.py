"""Collections out of a package, with no Galaxy."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import pytest
from invoke import Exit

from devtools import collections

ROOT = Path(__file__).parents[2]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    file = tmp_path / "ansible-1-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("ansible/posix", "ansible/other", "community/postgresql"):
            manifest = {"collection_info": {"version": "2.1.0"}}
            archive.writestr(f"ansible_collections/{name}/MANIFEST.json", json.dumps(manifest))
            archive.writestr(f"ansible_collections/{name}/plugins/x.py", name)
    return file


def test_only_what_is_named_is_unpacked(package: Path, tmp_path: Path) -> None:
    collections.unpack(package, tmp_path / "out", {"ansible.posix": "2.1.0", "community.postgresql": "2.1.0"})
    found = sorted(str(file.relative_to(tmp_path / "out")) for file in (tmp_path / "out").rglob("x.py"))
    assert found == [
        "ansible_collections/ansible/posix/plugins/x.py",
        "ansible_collections/community/postgresql/plugins/x.py",
    ]


@pytest.mark.parametrize(("name", "found"), [("ansible.posix", "2.1.0"), ("ansible.gone", "none")])
def test_another_version_is_refused(package: Path, tmp_path: Path, name: str, found: str) -> None:
    with pytest.raises(Exit, match=rf"holds {found} of {name}, but requirements.yml asks for 2\.0\.0"):
        collections.unpack(package, tmp_path / "out", {name: "2.0.0"})


def test_they_are_fetched_once_and_again_when_others_are_asked_for(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fetched: list[Path] = []
    monkeypatch.setattr(collections, "_download", lambda folder: fetched.append(folder) or package)
    monkeypatch.setattr(collections, "ROOT", tmp_path)
    asked = tmp_path / "requirements.yml"
    asked.write_text("collections: [{name: ansible.posix, version: 2.1.0}]", "utf-8")
    collections.install()
    assert capsys.readouterr().out == ".ansible/collections: ansible.posix 2.1.0\n"
    collections.install()
    assert len(fetched) == 1
    asked.write_text("collections: [{name: community.postgresql, version: 2.1.0}]", "utf-8")
    collections.install()
    assert len(fetched) == 2
    place = tmp_path / ".ansible" / "collections"
    assert [file.name for file in place.iterdir() if file.name != ".ready"] == ["ansible_collections"]
    assert [file.name for file in (place / "ansible_collections").iterdir()] == ["community"]


def test_every_collection_that_roles_use_is_named() -> None:
    used = set()
    for folder in ("roles", "playbooks", "molecule"):
        for file in (ROOT / folder).rglob("*.yml"):
            used |= set(
                re.findall(r"^[ -]*([a-z0-9_]+\.[a-z0-9_]+)\.[a-z0-9_]+:", file.read_text("utf-8"), re.MULTILINE)
            )
    assert used - {"ansible.builtin"} <= set(collections.required_versions())
