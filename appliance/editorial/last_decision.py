"""Undoing one's last decision about comments, without the key that a page has of it."""

from __future__ import annotations

from typing import Final

from appliance import db
from appliance.actor import UNKNOWN, Actor
from appliance.config import Config
from appliance.content.models import Site
from appliance.db import NOW
from appliance.editorial.decisions import UNDO, Decided, name_of, undo_on
from appliance.editorial.result import EditResult, apply_edit
from appliance.errors import ContentError

#: Number of the newest decisions among which those of the last minute are looked for.
_NEWEST: Final = 50_000


def undo_last(
    config: Config, site: str, comment: int = 0, *, actor: Actor = UNKNOWN, later: bool = False
) -> EditResult[Decided]:
    """Undo the last decisions on a site that the same person made together not more than a minute ago.

    Returns what `decisions.undo` returns. Published at once, unless it is to be published `later`.

    Args:
        config: the installation.
        site: the name of the site.
        comment: the comment that they were about; by default any.
        actor: who undoes them.
        later: whether workers publish it.

    Raises:
        ContentError: there is nothing to undo, or it is too late.
    """

    def edit(row: Site) -> tuple[Decided, bool]:
        act = _last_act(row, comment, name_of(actor))
        decided, changed = undo_on(config, row, act, actor) if act else (Decided(()), False)
        if not decided.done and not decided.left:
            raise ContentError("There is nothing of yours to undo: it was undone already, or is too long ago.")
        return decided, changed

    return apply_edit(config, site, actor, later, edit)


def _last_act(site: Site, comment: int, name: str) -> str:
    """The key of the last decisions of a person that can be undone; empty if there are none."""
    about = " AND comment_id = ?" if comment else ""
    sql = f"""SELECT act FROM comment_decision
              WHERE id > (SELECT MAX(id) FROM comment_decision) - {_NEWEST}
              AND site_id = ? AND made_by = ? AND made_at >= {NOW} - {UNDO}{about} ORDER BY id DESC LIMIT 1"""
    found = db.execute(sql, [site.id, name, *([comment] if comment else [])]).fetchone()
    return str(found[0]) if found else ""
