"""A site on each database in turn, whose previews may be shared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.config import Config
from tests.local_site import LocalSite, archive, index, local_site

ADMIN = "https://admin.example.org/"
PREVIEW = "https://preview.example.org/"
MANIFEST = index("index.html") + archive("entry", "{year}/{slug}/index.html") + archive("page", "{slug}.html")
FILES = {
    "entry.html": "<link rel=stylesheet href=\"{{ static('a.css') }}\"><h1>{{ entry.title }}</h1>{{ entry.html }}",
    "static/a.css": "h1 { color: rgb(1, 2, 3) }",
}


@pytest.fixture
def shop(database: Config, tmp_path: Path) -> Iterator[LocalSite]:
    admin = {"url": ADMIN, "preview_url": PREVIEW}
    with local_site(tmp_path, MANIFEST, FILES, database=database.database, admin=admin) as made:
        made.save("Published")
        made.run()
        yield made
