"""Brings the artifacts of one entry in line with its content, to see them before anybody plans the site.

Nothing is invalidated and nothing enqueued, so this costs far less than a plan. Call it in a transaction that is rolled
back.
"""

from __future__ import annotations

from typing import Final

from appliance import db
from appliance.content.aspects import EVERYTHING
from appliance.content.models import Entry, Site
from appliance.planning import artifact_sync
from appliance.planning.artifact_sync import FullSyncNeeded
from appliance.planning.changeset import ChangeSet, pending_changes
from appliance.planning.path_claims import address_fields
from appliance.planning.planner import last_plan
from appliance.planning.theme import Theme

#: The tables that a trial plan writes, as `db.scratch` takes them. Paths belong to one site of all.
TABLES: Final = dict.fromkeys(("artifact", "move", "placement", "listing_total", "listing_page"), "true")


def sync_entry(site: Site, theme: Theme, entry: Entry) -> list[str]:
    """Bring the artifacts that belong to an entry or list it, and those of pending changes, in line with the content.

    The whole site is synced where that is needed: on a conflict of paths, when many changes are pending, and when the
    site was not planned since its theme or its settings changed.

    Returns:
        One sentence for each artifact that cannot be published, if the whole site was synced.
    """
    changeset = ChangeSet.from_changes(pending_changes(site))
    changeset.entries[entry.id] = EVERYTHING
    number, is_current = last_plan(site, theme)
    if is_current and not changeset.affects_whole_site:
        try:
            with db.write():  # a sync that fails is undone before that of the whole site
                artifact_sync.sync_scope(site, theme, number + 1, changeset, changeset.scope(address_fields(theme)))
                return []
        except FullSyncNeeded:
            pass
    return artifact_sync.sync_site(site, theme, number + 1, changeset).faults
