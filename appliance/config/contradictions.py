"""What is wrong between settings that are each sound by themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from appliance.config.sections import PublishingHost, SiteSettings, TargetSettings
    from appliance.config.services import CacheSettings
    from appliance.config.sources import SourceSettings


def contradictions(
    docroot: Path | None,
    sites: Sequence[SiteSettings],
    targets: Sequence[TargetSettings],
    kept: Mapping[str, Path],
    caches: Sequence[CacheSettings] = (),
) -> Iterator[str]:
    """One sentence for each contradiction; an absent docroot and empty names are passed over.

    `kept` are the places that must not be served, by their key.
    """
    yield from _twice("sites", "name", [site.name for site in sites])
    yield from _twice("sites", "folder", [site.folder.strip("/") for site in sites])
    for site in sites:
        yield from _twice(f"sites.{site.name}.sources", "name", [source.name for source in _sources(site)])
    yield from _twice("targets", "name", [target.name for target in targets])
    yield from _twice("caches", "name", [cache.name for cache in caches])
    # One address behind two ports or two jump hosts is two places.
    ways = [(target.address, (target.port, target.ssh_options)) for target in targets]
    yield from _twice("targets", "address", [way[0] for way in ways if ways.count(way) > 1])
    if docroot is None:
        return
    for target in targets:
        if fault := _target_fault(target, docroot):
            yield f"targets.{target.name}.address: {fault}"
    for key, place in kept.items():
        if place.is_relative_to(docroot):
            yield f"{key}: “{place}” lies in the docroot and would be served; choose another"


def contradictions_of_hosts(docroot: Path, hosts: Sequence[PublishingHost], own: str) -> Iterator[str]:
    """One sentence for each contradiction between publishing hosts, of which one is called `own`."""
    yield from _twice("publishing_hosts", "name", [host.name for host in hosts])
    for host in hosts:
        if host.address and host.name != own and (fault := _target_fault(host, docroot)):
            yield f"publishing_hosts.{host.name}.address: {fault}"


def _sources(site: SiteSettings) -> Sequence[SourceSettings]:
    # A site of which only some parts are sound holds them as they stand in the file.
    return [source for source in getattr(site, "sources", ()) if not isinstance(source, dict)]


def _twice(section: str, key: str, values: Sequence[str]) -> Iterator[str]:
    for value in sorted({value for value in values if values.count(value) > 1}):
        if value or key == "folder":
            named = f"“{value}”" if value else "“” (the docroot itself)"
            yield f"{section}: the {key} {named} is used twice; give each its own"


def _target_fault(target: TargetSettings, docroot: Path) -> str | None:
    path = target.path(docroot)
    if target.host is None and path == docroot:
        return f"“{path}” is the docroot itself; a target is another place"
    if target.host is None and (path.is_relative_to(docroot) or docroot.is_relative_to(path)):
        return f"“{path}” and docroot “{docroot}” lie one in the other; choose a place apart"
    if path != docroot and not target.other_path:
        return (
            f"path “{path}” differs from docroot “{docroot}”; use the same path on every host, or set other_path = true"
        )
    return None
