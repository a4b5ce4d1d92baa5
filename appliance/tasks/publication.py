"""`publish --later`: workers publish, and the command waits for them if it is asked to.

By an API this is the only way to publish: nothing is planned inside a request.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from appliance import clock
from appliance.editorial.site_publication import SitePublication
from appliance.errors import ContentError
from appliance.tasks.command_line import exit_with, pluralize, print_json, print_line
from appliance.tasks.verbs.publication import open_publication

#: Seconds between two looks: the first, and the longest.
_SOON, _LONGEST = 0.1, 2.0
_LATE: Final = 2


def publish_later(names: Sequence[str], *, rebuild: bool, wait: float, json: bool) -> None:
    """Have workers publish the named sites, or all without a name, and wait so many seconds for them."""
    with open_publication() as verbs:
        asked = {name: verbs.request(name, rebuild=rebuild) for name in names or verbs.site_names()}
        found = _follow(lambda name: verbs.read(name, asked[name]), list(asked), wait) if wait > 0 else {}
    what = "every file" if rebuild else "what changed"
    if json:
        print_json([_json(name, found.get(name)) for name in asked])
    for name in asked if not json else ():
        print_line(_describe(found[name]) if found else f"{name}: a worker publishes {what}")
    failed = [f"{site}: {job.key}: failed: {job.error}" for site, one in found.items() for job in one.failed]
    late = [f"{name}: not done after {wait:g} s" for name, one in found.items() if not one.is_level and not one.failed]
    if failed or late:
        exit_with("\n".join([*failed, *late]), 1 if failed else _LATE)


def refuse_others(**options: object) -> None:
    """Refuse options that are about planning here.

    Raises:
        ContentError: there is one.
    """
    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value]
    if given:
        raise ContentError(
            f"Workers publish what changed or, with --all --force, every file; leave out {' and '.join(given)}, or"
            " publish on a publishing host without --later."
        )


def _follow(read: Callable[[str], SitePublication], names: list[str], wait: float) -> dict[str, SitePublication]:
    """Look until each site is level or has failed jobs, and for so many seconds at most."""
    ends, pause = clock.monotonic() + wait, _SOON
    while True:
        found = {name: read(name) for name in names}
        left = ends - clock.monotonic()
        if left <= 0 or all(one.is_level or (one.is_built and one.failed) for one in found.values()):
            return found
        clock.sleep(min(pause, left))
        pause = min(pause * 1.5, _LONGEST)


def _describe(one: SitePublication) -> str:
    if not one.is_planned:
        return f"{one.site}: waits to be planned"
    if not one.is_built:
        more = "at least " if one.is_capped else ""
        return f"{one.site}: {more}{pluralize(one.waiting, 'file')} to be built"
    level = sum(front.is_level for front in one.front_ends)
    shown = f", and on {level} of {pluralize(len(one.front_ends), 'front end')}" if one.front_ends else ""
    return f"{one.site}: published{shown}"


def _json(name: str, one: SitePublication | None) -> dict[str, object]:
    if one is None:
        return {"site": name, "requested": True}
    return {
        "site": name,
        "requested": True,
        "planned": one.is_planned,
        "waiting": one.waiting,
        "built": one.is_built,
        "level": one.is_level,
        "failed": [{"id": job.id, "key": job.key, "error": job.error} for job in one.failed],
        "front_ends": [{"name": front.name, "level": front.is_level, "error": front.error} for front in one.front_ends],
    }
