"""Installations to build."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.local_site import LocalSite, local_site

OpenSite = Callable[..., LocalSite]


@pytest.fixture
def open_site(tmp_path: Path) -> Iterator[OpenSite]:
    """Opens an installation of a manifest and its files; closed with the test."""
    with ExitStack() as stack:

        def make(manifest: str = "", files: dict[str, str] | None = None, **settings: Any) -> LocalSite:
            return stack.enter_context(local_site(tmp_path, manifest, files, **settings))

        yield make
