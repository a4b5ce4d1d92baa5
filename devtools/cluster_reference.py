"""The reference page of the cluster, generated from argument specs of roles and comments of playbooks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from devtools.reference_tables import GENERATED_NOTICE

_ROOT = Path(__file__).parents[1]

_INTRODUCTION = f"""\
{GENERATED_NOTICE}

# The cluster

`inventory.example` has the hosts and variables of a whole cluster; `ansible-playbook site.yml` sets it up. Set
variables in the inventory, for all hosts, for a group or for one host.

## Groups

| group | hosts |
|---|---|
| `publishers` | publishing hosts: they have a database or share one, and run workers, couriers and the schedule |
| `frontends` | front ends: they run nginx, sshd and rsync; a host may be in both groups |
| `databases` | the PostgreSQL server, which several publishing hosts need; none or one |
| `storage` | the NFS server of a shared docroot; none or one |"""


def page(root: Path = _ROOT) -> str:
    """Return the page in Markdown: the playbooks and the variables of all roles below `root`."""
    parts = [_INTRODUCTION, "## Playbooks\n\n| playbook | what it does |\n|---|---|\n" + "\n".join(_playbooks(root))]
    parts += [_role(folder.parent.parent) for folder in sorted(root.glob("roles/*/meta/argument_specs.yml"))]
    return "\n\n".join(parts) + "\n"


def options(role: Path) -> dict[str, Mapping[str, Any]]:
    """Return the variables of a role by name, as its argument specs describe them."""
    spec = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text("utf-8"))["argument_specs"]
    return {name: about for entry in spec.values() for name, about in (entry.get("options") or {}).items()}


def _playbooks(root: Path) -> Iterator[str]:
    for file in (root / "site.yml", *sorted(root.glob("playbooks/*.yml"))):
        about = re.match(r"---\n((?:#.*\n)+)", file.read_text("utf-8"))
        words = " ".join(line.lstrip("# ") for line in about[1].splitlines()) if about else ""
        yield f"| `{file.relative_to(root)}` | {cell(words)} |"


def _role(role: Path) -> str:
    spec = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text("utf-8"))["argument_specs"]["main"]
    defaults_file = role / "defaults" / "main.yml"
    defaults = yaml.safe_load(defaults_file.read_text("utf-8")) or {} if defaults_file.exists() else {}
    rows = [
        f"| `{name}` | {_type(about)} | {_default(name, about, defaults)} | {cell(_words(about['description']))} |"
        for name, about in options(role).items()
    ]
    table = "\n".join(["| variable | type | default | meaning |", "|---|---|---|---|", *rows]) if rows else ""
    return "\n\n".join(filter(None, [f"## Role `{role.name}`", _words(spec["short_description"]) + ".", table]))


def cell(text: str) -> str:
    """Escape text for a cell of a table."""
    return " ".join(text.replace("|", "\\|").split())


def _words(description: str | list[str]) -> str:
    return description if isinstance(description, str) else " ".join(description)


def _type(about: Mapping[str, Any]) -> str:
    if choices := about.get("choices"):
        return ", ".join(f"`{choice}`" for choice in choices)
    return f"list of {about['elements']}" if "elements" in about else str(about.get("type", "str"))


def _default(name: str, about: Mapping[str, Any], defaults: Mapping[str, Any]) -> str:
    if about.get("required"):
        return "must be given"
    value = defaults.get(name, about.get("default"))
    if isinstance(value, str) and "{{" in value:
        return "worked out"
    if value is None:
        return ""
    written = cell(yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("\n...\n"))
    return f"`{written}`" if len(written) < 80 else "see the role"
