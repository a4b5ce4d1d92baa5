"""What a theme wants built at once: in the process that publishes, before it goes on."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from appliance.building import publish
from appliance.building.docroot import Docroot
from appliance.config import Config
from appliance.errors import DocrootAway
from appliance.planning.plan import PUBLISH
from appliance.queue import store
from appliance.queue.worker import Desk

_SOME = 100


def build(config: Config, docroot: Docroot, paths: Sequence[str]) -> None:
    """Build these artifacts now, unless a worker has taken them already.

    What fails stays on the queue like any other job, and is tried again there.
    """
    kind = publish.kind(config, docroot) if paths else None
    for start in range(0, len(paths), _SOME):
        claims = store.claim(
            f"{config.host_name}-at-once", [PUBLISH], _SOME, config.queue.lease, keys=paths[start : start + _SOME]
        )
        if claims and kind:
            desk = Desk(kind, claims, config.queue, lambda: False)
            with suppress(DocrootAway):  # since a moment ago: it waits like the rest
                kind.perform(claims, desk)
            store.release(list(desk.open.values()))
