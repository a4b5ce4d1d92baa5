"""The faults that the last plan of each site recorded: one sentence for each artifact it could not publish.

This is a module of its own because `status` reads the faults and must not import the rest of planning.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from appliance import db


def recorded_faults(names: Sequence[str]) -> list[str]:
    """One sentence for each artifact that the last plans of these sites left out."""
    rows = db.execute(
        f"""SELECT p.faults FROM planned p JOIN site s ON s.id = p.site_id
            WHERE p.faults IS NOT NULL AND s.name IN ({db.placeholders(len(names)) or "NULL"}) ORDER BY s.id""",
        list(names),
    )
    return [fault for (faults,) in rows.fetchall() for fault in json.loads(faults)]
