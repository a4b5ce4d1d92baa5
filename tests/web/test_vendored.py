"""The vendored scripts are those of their packages, unchanged, and their versions and licences are named."""

from __future__ import annotations

import hashlib
from pathlib import Path

import appliance.web.admin

VENDOR = Path(appliance.web.admin.__file__).parent / "static/vendor"


def test_vendored_files_are_unchanged_and_named() -> None:
    listed = dict(reversed(line.split()) for line in (VENDOR / "SHA256SUMS").read_text().splitlines())
    files = {file.name for file in VENDOR.iterdir() if file.suffix in (".js", ".css")}
    assert set(listed) == files
    for name, digest in listed.items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest, name
        assert name in (VENDOR / "README.md").read_text(), name
    for name in {Path(name).stem for name in files}:
        assert (VENDOR / f"{name}.LICENSE").is_file(), name
