"""What tests of every room share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance import db
from appliance.config import Config, check

#: Content nobody here wrote, to measure with; tests that use it skip where it is absent.
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

MakeConfig = Callable[..., Config]


@pytest.fixture
def make_config(tmp_path: Path) -> MakeConfig:
    """Makes a Config whose folders are all below `tmp_path`; keyword arguments are further settings."""

    def make(**settings: Any) -> Config:
        site = {"name": "blog", "title": "A Blog", "url": "https://blog.example/"}
        raw = {"docroot": str(tmp_path / "www"), "sites": [site], **settings}
        return check(raw, tmp_path / "appliance.toml")

    return make


@pytest.fixture
def config(make_config: MakeConfig) -> Iterator[Config]:
    """One site, `blog`, at the top of a docroot, in a database that is connected until the test ends."""
    settings = make_config()
    opened = db.connect(settings)
    yield settings
    opened.close()
