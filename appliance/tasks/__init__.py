"""The commands: `invoke X` in a checkout and `appliance X` once installed are the same tasks."""

from __future__ import annotations

from invoke import Collection, Program

from appliance import __version__
from appliance.tasks import house

#: Every task, by the name it has on the command line.
namespace = Collection(house.test, house.lint, house.lock, house.docs)


def main() -> None:
    """The console script `appliance`."""
    Program(name="appliance", binary="appliance", namespace=namespace, version=__version__).run()


__all__ = ["main", "namespace"]
