"""What commands about content share: which site is meant."""

from __future__ import annotations

from appliance.config import Config
from appliance.content.models import Site
from appliance.errors import ContentError


def chosen(config: Config, sites: dict[str, Site], name: str) -> Site:
    """The named site, or the only one.

    Raises:
        ContentError: none is named and there are several.
        ConfigError: there is no such site.
    """
    if not name and len(config.sites) > 1:
        raise ContentError(f"There are several sites; say which with --site: {', '.join(sites)}.")
    return sites[config.site(name or config.sites[0].name).name]
