"""A published site on each database in turn, searched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.config import Config
from tests.local_site import LocalSite, archive, local_site

THEME = archive("entry", "{slug}.html", more="preferred = true") + archive("page", "p/{slug}.html")


@pytest.fixture
def blog(database: Config, tmp_path: Path) -> Iterator[LocalSite]:
    """A site that is searched, without entries."""
    with local_site(tmp_path, THEME, database=database.database, web={"path": "/-/"}) as made:
        yield made
