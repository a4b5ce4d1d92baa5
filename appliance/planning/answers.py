"""What the keys of recipes answered when they were planned last, and which answer something else now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from zoneinfo import ZoneInfo

from appliance import clock, db
from appliance.content.aspects import Aspect
from appliance.content.models import Site
from appliance.planning import passing
from appliance.planning.touched import Touched

#: Tells what keys answer now, by digest.
Evaluate = Callable[[Iterable[str]], Mapping[str, str]]

#: What may answer something else whenever anything changed.
_FLEETING = ("recent:", "now:")
#: Lists that change with what there is and where it is.
_LISTS = ("categories", "tags", "authors", "archives:", "pages")

_IN_WORDS = {
    "template": "the template {} changed", "static": "the theme's file {} changed", "theme": "the theme changed",
    "thumbnails": "the sizes of pictures changed", "site": "the site's {} changed",
    "setting": "the setting {} changed", "recent": "the newest entries changed", "now": "the time it shows passed",
    "categories": "the list of categories changed", "tags": "the list of tags changed",
    "authors": "the list of authors changed", "archives": "the list of archives changed",
    "pages": "the list of pages changed",
}  # fmt: skip


def in_words(key: str) -> str:
    """Why what read a key is built again."""
    what, _, named = key.partition(":")
    return _IN_WORDS.get(what, "{} changed").format(named or key)


def update(site: Site, evaluate: Evaluate, touched: Touched, *, everything: bool, lists: bool) -> set[str]:
    """The keys that answer something else than at the last planning; the new answers are kept.

    Args:
        site: the site.
        evaluate: tells the answers of now.
        touched: what changed.
        everything: templates and settings may have changed.
        lists: lists of terms and periods may have.
    """
    rows = db.execute("SELECT key, digest FROM answer WHERE site_id = ?", [site.id]).fetchall()
    titles = any(Aspect.TITLE & aspects for aspects in touched.entries.values())
    prefixes = (*_FLEETING, *(_LISTS if lists else ()), *(("pages",) if titles else ()))
    known = {key: digest for key, digest in rows if everything or key.startswith(prefixes)}
    changed = {key: digest for key, digest in evaluate(known).items() if digest != known[key]}
    for key, digest in changed.items():
        db.execute("UPDATE answer SET digest = ? WHERE site_id = ? AND key = ?", [digest, site.id, key])
    return set(changed)


def steps(site: Site) -> list[str]:
    """The keys of the steps of time that templates of the site show."""
    rows = db.execute("SELECT key FROM answer WHERE site_id = ? AND key LIKE 'now:%'", [site.id]).fetchall()
    return [key for (key,) in rows]


def next_step(names: Sequence[str]) -> float | None:
    """When the next step begins of the time that templates of the named sites show; None when they show none.

    In the past when they were not planned since it began.
    """
    rows = db.execute(
        f"""SELECT a.key, s.timezone, p.at FROM answer a JOIN site s ON s.id = a.site_id
            JOIN planned p ON p.site_id = s.id
            WHERE a.key LIKE 'now:%' AND s.name IN ({db.marks(len(names))})""",
        list(names),
    ).fetchall()
    moments = [
        passing.following(at, clock.span(key.partition(":")[2]), ZoneInfo(timezone)) for key, timezone, at in rows
    ]
    return min(moments, default=None)


def forget(site: Site) -> None:
    """Remove recipes that no artifact follows, and answers nobody reads."""
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
