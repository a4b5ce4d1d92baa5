"""An installation with front ends that nothing is sent to: tests move their cursors."""

from __future__ import annotations

from appliance.config import Config


def with_targets(config: Config, *names: str) -> Config:
    """Return the installation with front ends of these names."""
    raw = {"targets": [{"name": n, "address": f"{config.docroot}-{n}", "other_path": True} for n in names]}
    return Config.model_validate({**config.model_dump(exclude_unset=True), **raw, "path": config.path})
