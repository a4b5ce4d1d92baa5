"""The default theme, rendered with sample values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from appliance.planning.theme import Theme
from tests.themes import samples

Render = Callable[..., str]


@pytest.fixture(scope="session")
def theme() -> Theme:
    return Theme.load("default", Path())


@pytest.fixture(scope="session")
def render(theme: Theme) -> Render:
    env = samples.environment(theme)
    ordinary = samples.site(theme.manifest.settings)

    def one(
        template: str,
        *,
        site: SimpleNamespace = ordinary,
        page_url: str = samples.ROOT + "here/",
        **values: Any,
    ) -> str:
        address = "https://www.example.org" + page_url
        return env.get_template(template).render(site=site, page_url=page_url, page_absolute_url=address, **values)

    return one
