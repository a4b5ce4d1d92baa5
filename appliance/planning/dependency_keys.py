"""Dependency keys: the names of what many artifacts read alike, and the digests they had at the last plan.

    template:NAME, static:NAME     a file of the theme
    theme:KEY, thumbnails          the manifest's own values, and its thumbnail settings
    site:NAME, setting:NAME        a setting of the site or of its theme; plain `setting` is all of them
    recent:N:ASPECTS               these aspects of the newest N entries
    categories, tags:N, authors, archives:TYPE, pages    site-wide lists
    now:STEP                       the time, rounded down to a step such as 1d

`building.key_digests` computes the digests. Planning gets that function as a value, so that it need not import
building.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from appliance import clock, db
from appliance.content.aspects import Aspect, describe
from appliance.content.models import Site
from appliance.planning.changeset import ChangeSet

#: Computes the current digests of keys, by key.
DigestKeys = Callable[[Iterable[str]], Mapping[str, str]]

#: Keys whose digest may change with any change of content, or with time.
_VOLATILE = ("recent:", "now:")
#: Keys of lists that change when entries or terms come, go or move.
_LISTS = ("categories", "tags", "authors", "archives:", "pages")

_REASONS = {
    "template": "the template {} changed",
    "static": "the theme's file {} changed",
    "theme": "the theme changed",
    "thumbnails": "the sizes of pictures changed",
    "site": "the site's {} changed",
    "setting": "the setting {} changed",
    "recent": "the newest entries changed",
    "now": "the time it shows passed",
    "categories": "the list of categories changed",
    "tags": "the list of tags changed",
    "authors": "the list of authors changed",
    "archives": "the list of archives changed",
    "pages": "the list of pages changed",
}


#: The sorts of keys, in the order in which people are shown them.
SORTS: Final = ("templates", "files", "settings", "lists", "times")

_SORT_BY_NAME: Final = {
    "template": "templates",
    "static": "files",
    "site": "settings",
    "setting": "settings",
    "theme": "settings",
    "thumbnails": "settings",
    "now": "times",
}


def sort_of(key: str) -> str:
    """Which of `SORTS` a key belongs to."""
    return _SORT_BY_NAME.get(key.partition(":")[0], "lists")


def describe_key(key: str) -> str:
    """What a key stands for, in words."""
    name, _, argument = key.partition(":")
    if name in ("template", "static"):
        return argument
    if name == "site":
        return f"site.{argument}"
    if name == "setting":
        return f"site.settings.{argument}" if argument else "all of site.settings"
    if name == "theme":
        return "the theme's name and version"
    if name == "thumbnails":
        return "the widths of pictures"
    if name == "now":
        return f"when it is, to {argument}"
    if name == "recent":
        count, _, aspects = argument.partition(":")
        return f"the {count} newest entries" + (f": {describe(int(aspects), 'and')}" if int(aspects) else "")
    if name == "tags" and argument:
        return f"the {argument} most used tags"
    return f"all {argument} archives" if name == "archives" else f"all {name}"


def change_reason(key: str) -> str:
    """Why an artifact that depends on a key is rebuilt, as a sentence without a full stop."""
    name, _, argument = key.partition(":")
    return _REASONS.get(name, "{} changed").format(argument or key)


def changed_digests(
    site: Site, digest_keys: DigestKeys, changeset: ChangeSet, *, everything: bool, lists: bool
) -> dict[str, tuple[str, str]]:
    """The keys whose digest has changed since the last plan, each with the digests before and now.

    Args:
        site: the site.
        digest_keys: computes current digests.
        changeset: what has changed.
        everything: whether templates or settings may have changed.
        lists: whether lists of terms and periods may have changed.
    """
    rows = db.execute("SELECT key, digest FROM answer WHERE site_id = ?", [site.id]).fetchall()
    titles = any(Aspect.TITLE & aspects for aspects in changeset.entries.values())
    prefixes = (*_VOLATILE, *(_LISTS if lists else ()), *(("pages",) if titles else ()))
    known = {key: digest for key, digest in rows if everything or key.startswith(prefixes)}
    return {key: (known[key], digest) for key, digest in digest_keys(known).items() if digest != known[key]}


def store_digests(site: Site, changed: Mapping[str, tuple[str, str]]) -> None:
    """Store the digests that have changed. One that a build has cleared meanwhile is left, and compared anew."""
    for key, (before, now) in changed.items():
        db.execute(
            "UPDATE answer SET digest = ? WHERE site_id = ? AND key = ? AND digest = ?", [now, site.id, key, before]
        )


def time_passed(site: Site, digest_keys: DigestKeys) -> bool:
    """Whether the time that templates of the site show has moved on to another step since the last plan."""
    rows = db.execute("SELECT key, digest FROM answer WHERE site_id = ? AND key LIKE 'now:%'", [site.id]).fetchall()
    if not rows:
        return False
    current = digest_keys([key for key, _ in rows])
    return any(current[key] != digest for key, digest in rows)


def next_time_step(names: Sequence[str]) -> float | None:
    """When the time that templates of the named sites show moves on to its next step; None when they show none.

    In seconds since the epoch; in the past when a step has begun since the last plan.
    """
    rows = db.execute(
        f"""SELECT a.key, s.timezone, p.at FROM answer a JOIN site s ON s.id = a.site_id
            JOIN planned p ON p.site_id = s.id
            WHERE a.key LIKE 'now:%' AND s.name IN ({db.placeholders(len(names))})""",
        list(names),
    ).fetchall()
    now = db.now()
    moments = [
        next_step_start(min(at, now), clock.parse_duration(key.partition(":")[2]), ZoneInfo(timezone))
        for key, timezone, at in rows
    ]
    return min(moments, default=None)


def delete_unused(site: Site) -> None:
    """Delete the dependency sets that no artifact has, and the digests of keys in no set."""
    db.execute(
        """DELETE FROM recipe WHERE site_id = ? AND NOT EXISTS (SELECT 1 FROM artifact a WHERE a.recipe = recipe.id)""",
        [site.id],
    )
    db.execute(
        """DELETE FROM answer WHERE site_id = ? AND NOT EXISTS
           (SELECT 1 FROM recipe_key k JOIN recipe p ON p.id = k.recipe_id
            WHERE p.site_id = answer.site_id AND k.key = answer.key)""",
        [site.id],
    )


_DAY: Final = 86_400
#: The shortest step, in seconds, since each step rebuilds every artifact that shows the time.
_SHORTEST: Final = 60


def step_start(moment: float, step: float, zone: ZoneInfo) -> datetime:
    """The beginning of the step that a moment falls in.

    Steps of days begin at midnight. Shorter steps are counted from midnight.
    """
    local = clock.to_datetime(moment, zone)
    midnight = datetime.combine(local.date(), time(), zone)
    if step >= _DAY:
        return midnight - timedelta(days=local.toordinal() % round(step / _DAY))
    passed = moment - midnight.timestamp()
    return clock.to_datetime(midnight.timestamp() + passed // max(step, _SHORTEST) * max(step, _SHORTEST), zone)


def next_step_start(moment: float, step: float, zone: ZoneInfo) -> float:
    """When the next step begins, in seconds since the epoch."""
    begun = step_start(moment, step, zone)
    tomorrow = datetime.combine(begun.date() + timedelta(days=max(1, round(step / _DAY))), time(), zone)
    if step >= _DAY:
        return tomorrow.timestamp()
    return min(begun.timestamp() + max(step, _SHORTEST), tomorrow.timestamp())
