"""An installation with webhooks that go to a receiver on loopback, and its jobs run at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance import db
from appliance.config import Config, QueueSettings, validate
from appliance.content import sites
from appliance.queue import store
from appliance.queue.handlers import registry
from appliance.queue.worker import Worker
from appliance.running import process_mains  # registers all kinds
from appliance.webhooks.deliveries import DELIVER
from appliance.webhooks.outbox import GATHER
from tests.webhooks.receiver import SECRET, Receiver, receiving

KINDS = (GATHER, DELIVER)
assert process_mains.KINDS

Install = Callable[..., Config]


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.touch(0o600)
    file.write_text(f"{SECRET}\n")
    return file


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def install(database: Config, receiver: Receiver, secret: Path, tmp_path: Path) -> Install:
    """Return the installation with one webhook, `hook`, and `fronts` targets; keyword arguments are its settings."""

    def make(*, fronts: int = 0, hooks: list[dict[str, Any]] | None = None, **settings: Any) -> Config:
        hook = {
            "name": "hook", "url": receiver.url, "secret_file": str(secret), "allow_http": True,
            "allow_private": ["127.0.0.1"], "timeout": 5.0, "events": ["page.published"],
        }  # fmt: skip
        raw = database.model_dump(mode="json", exclude={"path"}, exclude_unset=True) | {
            "host": "here",
            "webhooks": [{**hook, **settings, **more} for more in hooks or [{}]],
            "targets": [
                {"name": f"front{n}", "address": str(tmp_path / f"front{n}"), "other_path": True} for n in range(fronts)
            ],
        }
        config = validate(raw, database.path)
        db._config[-1] = config  # as if the database had been opened with these settings
        sites.sync(config)
        return config

    return make


class NoWait:
    def wait(self, timeout: float) -> bool:
        return False


def work(config: Config) -> int:
    """Run what is due of webhooks; returns the number of runs."""
    kinds = [kind for kind in registry.kinds(config) if kind.name in KINDS]
    worker, done = Worker("here:1", kinds, QueueSettings(), NoWait()), 0
    while claims := store.claim(worker.name, KINDS, 10, 30.0):
        worker.run_batch(claims)
        done += len(claims)
    return done


def pass_time() -> None:
    """Let intervals, delays and rests pass."""
    with db.write():
        db.execute("DELETE FROM throttle")
        db.execute("UPDATE job SET run_at = 0 WHERE state = 'pending'")
        db.execute("UPDATE webhook SET rests_until = NULL")


def jobs(kind: str = DELIVER) -> list[tuple[Any, ...]]:
    return list(
        db.execute(
            "SELECT state, outcome, error_class, error_message FROM job WHERE kind = ? ORDER BY id", [kind]
        ).fetchall()
    )
