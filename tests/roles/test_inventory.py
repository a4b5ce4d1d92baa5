"""The example of an inventory: it can be used as it is, and names nothing that no role knows."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from devtools import cluster_reference

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "inventory.example"
README = ROOT / "README.md"
#: The how-to page with an inventory for each usual cluster.
PAGE = ROOT / "docs" / "how-to" / "stand-up-a-cluster.md"


@pytest.fixture(scope="module")
def known() -> set[str]:
    """Every variable of every role."""
    return {name for role in ROOT.glob("roles/*") for name in cluster_reference.options(role)}


def uncommented(text: str) -> Any:
    """The example with everything in it that is commented out and looks like YAML."""
    lines = [re.sub(r"^( *)# ((?:  )*(?:- )?[\w-]+:(?: .*)?|)$", r"\1\2", line) for line in text.splitlines()]
    return yaml.safe_load("\n".join(lines))


def hosts_of(inventory: Path) -> dict[str, Any]:
    command = [str(Path(sys.executable).with_name("ansible-inventory")), "-i", str(inventory), "--list"]
    return dict(json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout))


def test_it_is_an_inventory(tmp_path: Path) -> None:
    found = hosts_of(Path(shutil.copy(EXAMPLE, tmp_path / "inventory.yml")))
    assert found["publishers"]["hosts"] == ["pub1"]
    assert found["frontends"]["hosts"] == ["www1", "www2", "www3"]
    assert found["_meta"]["hostvars"]["www1"]["appliance_sites"][0]["url"]


def test_every_variable_is_one_of_a_role(known: set[str]) -> None:
    prefixes = tuple(f"{role.name}_" for role in ROOT.glob("roles/*"))
    named = {
        name for name in re.findall(r"^ *(?:# )?(\w+):", EXAMPLE.read_text("utf-8"), re.M) if name.startswith(prefixes)
    }
    assert len(named) > 10
    assert named <= known


def test_what_is_commented_out_can_be_used(known: set[str]) -> None:
    found = uncommented(EXAMPLE.read_text("utf-8"))
    assert {"schedule_mode", "frontend_tls", "appliance_settings", "ansible_become"} <= set(found["all"]["vars"])
    assert "pub2" in found["publishers"]["hosts"]


def readme_clusters() -> list[dict[str, str]]:
    """The rows of the README's table of clusters: hosts by group."""
    table = README.read_text("utf-8").partition("the groups of a host determine its roles")[2].split("\n\n")[1]
    groups, _, *clusters = ([cell.strip(" `") for cell in row.split("|")[2:-1]] for row in table.splitlines())
    return [dict(zip(groups, hosts, strict=True)) for hosts in clusters]


@pytest.mark.parametrize("number", range(3))
def test_the_clusters_of_the_page_can_be_used_and_are_those_of_the_readme(number: int, tmp_path: Path) -> None:
    blocks = re.findall(r"```yaml\n(publishers:.*?)```", PAGE.read_text("utf-8"), re.S)
    assert len(blocks) == 3
    (tmp_path / "inventory.yml").write_text(blocks[number], "utf-8")
    found = hosts_of(tmp_path / "inventory.yml")
    assert all(host.get("ansible_host") for host in found["_meta"]["hostvars"].values())
    assert {group: ", ".join(hosts["hosts"]) for group, hosts in found.items() if "hosts" in hosts} == {
        group: hosts for group, hosts in readme_clusters()[number].items() if hosts
    }
