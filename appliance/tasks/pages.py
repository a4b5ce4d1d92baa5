"""The command that says where a page is."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

from invoke import Context, task

from appliance.delivery.whereabouts import PathVersion, Place
from appliance.editorial.page_places import ShownPlace
from appliance.overview.durations import relative
from appliance.sizes import in_bytes
from appliance.tasks.command_line import command, print_json, print_line
from appliance.tasks.list_output import one_line, print_columns
from appliance.tasks.option_help import JSON, VERBOSE
from appliance.tasks.verbs.pages import open_pages

_FOUND: Final = {
    "same": "the same, byte for byte", "different": "something else", "absent": "no file", "kept": "not looked at",
    "unknown": "could not be seen",
}  # fmt: skip


@task(
    positional=["path"],
    help={"path": "A path below the docroot, or the address of a page as a browser shows it.", **JSON, **VERBOSE},
)
@command
def where(_context: Context, path: str, json: bool = False, verbose: bool = False) -> None:
    """Say where a page is: the version that each docroot shows, and when it had confirmed that."""
    with open_pages() as verbs:
        found, now = verbs.find_places(path)
    if json:
        print_json(asdict(found))
        return
    latest = found.latest
    what = "deleted" if latest.is_deletion else f"version {latest.version}, {in_bytes(latest.size or 0)}"
    print_line(f"{found.path}: {what}, {relative(latest.at - now)} by {latest.origin}")
    print_line(found.sentence)
    places = [one.place for one in found.places]
    columns = {
        "docroot": [place.name for place in places],
        "is": ["publishing host" if place.is_host else "front end" for place in places],
        "shows": [_shows(place) for place in places],
        "confirmed": ["" if one.confirmed_at is None else relative(one.confirmed_at - now) for one in places],
        "seen there": [_seen(one, latest, now) for one in found.places],
    }
    print_columns(columns, {"shows": 1})
    for place in places:
        if place.paused:
            print_line(f"{place.name}: paused; nothing is sent to it until it is resumed")
        elif place.error and not place.is_up_to_date:
            print_line(f"{place.name}: {one_line(place.error)}")


def _shows(place: Place) -> str:
    if place.state == "behind":
        return "an earlier version" if place.shown else "an earlier version, or none"
    return {"current": "the latest version", "gone": "nothing, as it should"}.get(place.state, "not known")


def _seen(one: ShownPlace, latest: PathVersion, now: float) -> str:
    if one.look is None:
        return ""
    what = _FOUND[one.look.found] if one.look.publication == latest.number else "looked before the latest version"
    return f"{what}, {relative(one.look.at - now)}"
