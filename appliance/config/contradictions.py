"""Checks between settings: values that are valid by themselves but contradict each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from appliance.config.admin import AdminSettings
    from appliance.config.sections import SiteSettings
    from appliance.config.services import CacheSettings
    from appliance.config.sources import SourceSettings
    from appliance.config.targets import PublishingHost, TargetSettings


def find_contradictions(
    docroot: Path | None,
    sites: Sequence[SiteSettings],
    targets: Sequence[TargetSettings],
    private: Mapping[str, Path],
    caches: Sequence[CacheSettings] = (),
) -> Iterator[str]:
    """Yield one sentence for each contradiction. A missing docroot and empty names are ignored.

    `private` are the paths that must not be served, by their key.
    """
    yield from _duplicates("sites", "name", [site.name for site in sites])
    yield from _duplicates("sites", "folder", [site.folder.strip("/") for site in sites])
    for site in sites:
        yield from _duplicates(f"sites.{site.name}.sources", "name", [source.name for source in _sources(site)])
    yield from _duplicates("targets", "name", [target.name for target in targets])
    yield from _duplicates("caches", "name", [cache.name for cache in caches])
    # The same address through different ports or jump hosts is a different place.
    ways = [(target.address, (target.port, target.ssh_options)) for target in targets]
    yield from _duplicates("targets", "address", [way[0] for way in ways if ways.count(way) > 1])
    if docroot is None:
        return
    for target in targets:
        if fault := _target_error(target, docroot):
            yield f"targets.{target.name}.address: {fault}"
    for key, place in private.items():
        if place.is_relative_to(docroot):
            yield f"{key}: “{place}” lies in the docroot and would be served; choose another path"


def find_host_contradictions(docroot: Path, hosts: Sequence[PublishingHost], own: str) -> Iterator[str]:
    """Yield one sentence for each contradiction between publishing hosts. `own` is the name of this host."""
    yield from _duplicates("publishing_hosts", "name", [host.name for host in hosts])
    for host in hosts:
        if host.address and host.name != own and (fault := _target_error(host, docroot)):
            yield f"publishing_hosts.{host.name}.address: {fault}"


def find_name_contradictions(admin: AdminSettings, sites: Sequence[SiteSettings]) -> Iterator[str]:
    """Yield one sentence for each name of the admin application or of previews that a site has as well."""
    for key in ("url", "preview_url"):
        name = urlsplit(getattr(admin, key)).hostname
        for site in sites:
            if name and urlsplit(site.url).hostname == name:
                yield (
                    f"admin.{key}: {name} is the host of the site {site.name}, whose pages hold authors' HTML; choose a"
                    " host name that no site has"
                )


def _sources(site: SiteSettings) -> Sequence[SourceSettings]:
    # In a site with other invalid values, sources are still plain tables as read from the file.
    return [source for source in getattr(site, "sources", ()) if not isinstance(source, dict)]


def _duplicates(section: str, key: str, values: Sequence[str]) -> Iterator[str]:
    for value in sorted({value for value in values if values.count(value) > 1}):
        if value or key == "folder":
            named = f"“{value}”" if value else "“” (the docroot itself)"
            yield f"{section}: the {key} {named} is used twice; give each its own"


def _target_error(target: TargetSettings, docroot: Path) -> str | None:
    path = target.path(docroot)
    if target.host is None and path == docroot:
        return f"“{path}” is the docroot itself; a target is another place"
    if target.host is None and (path.is_relative_to(docroot) or docroot.is_relative_to(path)):
        return f"“{path}” and docroot “{docroot}” contain one another; choose a separate folder"
    if path != docroot and not target.other_path:
        return (
            f"path “{path}” differs from docroot “{docroot}”; use the same path on every host, or set other_path = true"
        )
    return None
