"""What publishing hosts install: whole, named by its content, and refused when it cannot work."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from invoke import Context, Exit

from appliance import __version__
from devtools import checks, wheelhouse

ROOT = Path(__file__).parents[2]
RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
NAME = "publishing_appliance"


def a_wheel(folder: Path, name: str = "publishing-appliance", version: str = "0.2.0", wants: str = "") -> Path:
    """A wheel with nothing in it but what it says of itself."""
    folder.mkdir(exist_ok=True)
    file = folder / f"{NAME}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        lines = ["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", *([wants] if wants else [])]
        archive.writestr(f"{NAME}-{version}.dist-info/METADATA", "\n".join(lines) + "\n")
    return file


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout whose lock names nothing but one small package, which the downloads do not come from an index."""
    root = tmp_path / "checkout"
    root.mkdir()
    (root / "pyproject.toml").touch()
    (root / checks.HOSTS_LOCK).write_text("peewee==4.5.3 \\\n    --hash=sha256:0\n", "utf-8")
    monkeypatch.setattr(wheelhouse, "ROOT", root)
    monkeypatch.setattr(checks, "ROOT", root)
    return root


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was downloaded for, each of which brings one file."""
    asked: list[str] = []

    def download(folder: Path, python: str, machine: str) -> None:
        asked.append(f"{python} {machine}")
        (folder / "peewee-4.5.3-py3-none-any.whl").write_bytes(f"the {len(asked)}. download".encode())

    monkeypatch.setattr(wheelhouse, "_download", download)
    return asked


def gather(capsys: pytest.CaptureFixture[str], wheel: Path, **others: str) -> str:
    wheelhouse.wheelhouse(Context(), wheel=str(wheel), **others)
    return capsys.readouterr().out.strip()


def test_a_release_is_named_by_its_version_and_content(
    checkout: Path, downloads: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wheel = a_wheel(tmp_path / "a")
    word, release = gather(capsys, wheel, python="3.13", machine="aarch64").split()
    place = checkout / ".ansible" / "wheelhouse" / "cp313-aarch64"
    manifest = (place / "MANIFEST").read_bytes()
    assert (word, release) == ("changed", f"0.2.0-{hashlib.sha256(manifest).hexdigest()[:8]}")
    assert (place / "RELEASE").read_text() == f"{release}\n"
    listed = dict(reversed(line.split("  ")) for line in manifest.decode().splitlines())
    assert listed == {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in place.glob("*.whl")}
    assert len(listed) == 2
    assert downloads == ["3.13 aarch64"]
    assert [file.name for file in place.parent.iterdir() if file.is_dir()] == ["cp313-aarch64"]


def test_nothing_is_downloaded_twice(
    checkout: Path, downloads: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wheel = a_wheel(tmp_path / "a")
    first = gather(capsys, wheel).split()[1]
    assert gather(capsys, wheel) == f"unchanged {first}"
    newer = gather(capsys, a_wheel(tmp_path / "a", version="0.3.0"))
    assert newer.startswith("changed 0.3.0-")
    place = checkout / ".ansible" / "wheelhouse" / "cp311-x86_64"
    assert [file.name for file in place.glob(f"{NAME}*")] == [f"{NAME}-0.3.0-py3-none-any.whl"]
    assert gather(capsys, wheel) == f"changed {first}", "the same files are the same release"
    assert len(downloads) == 1


@pytest.mark.parametrize("ill", ["lock", "bytes", "file", "more", "stamp"])
def test_what_does_not_fit_is_gathered_again(
    checkout: Path, downloads: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], ill: str
) -> None:
    wheel = a_wheel(tmp_path / "a")
    gather(capsys, wheel)
    place = checkout / ".ansible" / "wheelhouse" / "cp311-x86_64"
    dependency = place / "peewee-4.5.3-py3-none-any.whl"
    if ill == "lock":
        (checkout / checks.HOSTS_LOCK).write_text("peewee==4.5.4 \\\n    --hash=sha256:1\n", "utf-8")
    elif ill == "bytes":
        dependency.write_bytes(b"cut sh")
    elif ill == "file":
        dependency.unlink()
    elif ill == "more":
        (place / "other-1-py3-none-any.whl").touch()
    else:
        place.with_suffix(".lock").unlink()
    assert gather(capsys, wheel).startswith("changed 0.2.0-")
    assert len(downloads) == 2
    assert len(list(place.glob("*.whl"))) == 2
    assert gather(capsys, wheel).startswith("unchanged ")


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"name": "peewee"}, "is a wheel of peewee; name one of publishing-appliance"),
        ({"version": "next"}, "has a version that is none as PEP 440 has them"),
        ({"wants": "Requires-Dist: peewee>=5"}, "asks for peewee>=5, which requirements-hosts.lock does not hold"),
        ({"wants": "Requires-Dist: flask"}, "asks for flask, which requirements-hosts.lock does not hold"),
    ],
)
def test_a_wheel_that_could_not_be_installed_is_refused(
    checkout: Path, tmp_path: Path, form: dict[str, str], sentence: str
) -> None:
    with pytest.raises(Exit, match=sentence) as caught:
        wheelhouse.validate_wheel(a_wheel(tmp_path / "a", **form))
    assert caught.value.code == 3
    assert "\n" not in str(caught.value.message)


@pytest.mark.parametrize("content", [None, b"", b"no zip"])
def test_a_file_that_is_no_wheel_is_refused(checkout: Path, tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / f"{NAME}-1-py3-none-any.whl"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(Exit, match=r"is no wheel that can be read; name one of publishing-appliance"):
        wheelhouse.wheelhouse(Context(), wheel=str(file))
    assert not (checkout / ".ansible" / "wheelhouse" / "cp311-x86_64").exists()


def test_a_wheel_under_another_name_is_refused(checkout: Path, tmp_path: Path) -> None:
    other = a_wheel(tmp_path / "a").rename(tmp_path / f"{NAME}-0.9-py3-none-any.whl")
    with pytest.raises(Exit, match=r"is not named as the wheel of publishing-appliance 0\.2\.0 is"):
        wheelhouse.validate_wheel(other)


def test_a_lock_allows_what_a_marker_excludes(checkout: Path, tmp_path: Path) -> None:
    wheel = a_wheel(tmp_path / "a", wants="Requires-Dist: colorama; sys_platform == 'win32'")
    assert wheelhouse.validate_wheel(wheel) == wheel


@pytest.mark.parametrize("given", [{"python": "3"}, {"python": "../3.11"}, {"machine": "x86-64/.."}])
def test_what_is_no_python_or_machine_is_refused(checkout: Path, given: dict[str, str]) -> None:
    with pytest.raises(Exit, match=r"is no (version of Python|kind of machine) such as"):
        wheelhouse.wheelhouse(Context(), **given)


@pytest.mark.slow
def test_what_is_gathered_publishes_without_an_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real one: what the lock names and this checkout's wheel, in an environment that knows nothing else."""
    shared = ROOT / ".ansible" / "wheelhouse" / f"cp{RUNNING.replace('.', '')}-x86_64"
    wheelhouse.wheelhouse(Context(), python=RUNNING)
    first, release = (shared / "MANIFEST").read_text(), (shared / "RELEASE").read_text().strip()
    assert release.startswith(f"{__version__}-")
    own = next(shared.glob(f"{NAME}-*.whl"))
    copy = Path(shutil.copy(own, tmp_path))
    wheelhouse.wheelhouse(Context(), python=RUNNING)
    assert (shared / "MANIFEST").read_text() == first, "the same files are the same wheel"

    def run(*words: str | Path, cwd: Path = tmp_path) -> str:
        done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv")
    pip = ("-m", "pip", f"--python={tmp_path / 'venv'}", "install", "--quiet", "--no-compile", "--no-index")
    run(sys.executable, *pip, "-f", shared, copy)
    appliance = tmp_path / "venv" / "bin" / "appliance"
    assert run(appliance, "--version").strip().endswith(__version__)
    run(appliance, "site.init", "site")
    run(appliance, "publish", cwd=tmp_path / "site")
    run(appliance, "drain", cwd=tmp_path / "site")
    assert "<html" in next((tmp_path / "site").rglob("index.html")).read_text()
