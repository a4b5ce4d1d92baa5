"""What the database remembers of a target that is gone for good.

A target that left the settings holds nothing back: nobody waits for it any more. But should a host of that name come
again, what the former one confirmed would be taken for its own. Forgotten, it begins anew and is sent everything.
"""

from __future__ import annotations

from appliance import db
from appliance.config import Config
from appliance.delivery.targets import known
from appliance.errors import DeliveryError

#: The tables that know targets by name.
_TABLES = ("cursor", "lease", "standing")


def forget(config: Config, name: str) -> int:
    """Forget the target called `name`; returns how many rows told of it, none when it is not known.

    Raises:
        DeliveryError: the settings still name it.
    """
    if name in {target.name for target in known(config)}:
        raise DeliveryError(f"{name}: {config.path} still names this target; take it out there first")
    with db.write():
        return sum(
            len(db.execute(f"DELETE FROM {table} WHERE target = ? RETURNING 1", [name]).fetchall()) for table in _TABLES
        )
