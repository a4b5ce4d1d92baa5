"""Installations to plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.workshop import Workshop, workshop

OpenWorkshop = Callable[..., Workshop]


@pytest.fixture
def open_workshop(tmp_path: Path) -> Iterator[OpenWorkshop]:
    """Opens an installation of a manifest and its files; closed with the test."""
    with ExitStack() as stack:

        def make(manifest: str = "", files: dict[str, str] | None = None, **settings: Any) -> Workshop:
            return stack.enter_context(workshop(tmp_path, manifest, files, **settings))

        yield make
