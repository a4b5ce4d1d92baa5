"""Templates of the roles, filled in by Ansible's own templating with what the roles themselves say by default."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

import yaml

# Ansible reads this when it is imported, and would look at the folder of the person who runs the tests.
os.environ.setdefault("ANSIBLE_HOME", "/nonexistent/ansible")

from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import add_all_plugin_dirs, init_plugin_loader
from ansible.template import Templar, trust_as_template

ROLES = Path(__file__).resolve().parents[2] / "roles"


@functools.cache
def _plugins() -> None:
    init_plugin_loader([])
    for role in sorted(ROLES.iterdir()):
        add_all_plugin_dirs(str(role))


def _trusted(value: Any) -> Any:
    if isinstance(value, str):
        return trust_as_template(value)
    if isinstance(value, dict):
        return {key: _trusted(inner) for key, inner in value.items()}
    return [_trusted(inner) for inner in value] if isinstance(value, list) else value


def _file(path: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(path.read_text("utf-8")) or {}) if path.exists() else {}


def variables(*roles: str, **given: Any) -> dict[str, Any]:
    """What the tasks of `roles`, on a host that publishes and serves alone, find their variables to be."""
    known: dict[str, Any] = {
        "inventory_hostname": "one",
        "groups": {"all": ["one"], "publishers": ["one"], "frontends": ["one"]},
        "hostvars": {"one": {}},
        "ansible_facts": {},
    }
    for part in ("defaults", "vars"):
        for role in ("appliance", *roles):
            known |= _trusted(_file(ROLES / role / part / "main.yml"))
    return known | given


def render(template: str, *roles: str, **given: Any) -> str:
    """A template, named as `role/name`, as Ansible's module of that name writes it."""
    _plugins()
    role, _, name = template.partition("/")
    folder = ROLES / role / "templates"
    loader = DataLoader()
    loader.set_basedir(str(ROLES / role))
    templar = Templar(loader, variables(role, *roles, **given)).copy_with_new_env(searchpath=[str(folder)])
    text = (folder / name).read_text("utf-8")
    return str(templar.template(trust_as_template(text), preserve_trailing_newlines=True, escape_backslashes=False))
