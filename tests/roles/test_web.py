"""What the role `web` writes: settings that can be read whatever they say, and units that are exposed to nobody."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.config import load_web
from tests.roles.rendering import ROLES, render

#: The greatest exposure allowed, as systemd-analyze has it: 0 is none, 10 all there is.
EXPOSURE = 1.0

needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_plain = st.one_of(
    _text, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False)
)


def cluster(**given: Any) -> dict[str, Any]:
    """Two publishing hosts, of which `one` also serves, and a front end; seen from `one`."""
    hosts: dict[str, dict[str, Any]] = {
        "one": {"appliance_web": True, "appliance_address": "192.0.2.11"},
        "two": {"appliance_web": True, "appliance_address": "2001:db8::12", "appliance_web_port": 8091},
        "www": {"appliance_from": ["192.0.2.21", "2001:db8::/64"]},
    }
    groups = {"all": list(hosts), "publishers": ["one", "two"], "frontends": ["one", "www"]}
    return {"hostvars": hosts, "groups": groups, **hosts["one"], **given}


def keys(unit: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in unit.splitlines() if re.match(r"\w+=", line))


@pytest.fixture(scope="module")
def settings_file() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROLES / "web" / "templates"), trim_blocks=True, keep_trailing_newline=True
    )
    environment.filters["to_json"] = json.dumps
    return environment.get_template("web.toml.j2")


@settings(deadline=None)
@given(st.dictionaries(_text, _plain | st.lists(_plain, max_size=3), max_size=4))
def test_any_settings_are_read_as_they_were_given(settings_file: jinja2.Template, values: Mapping[str, Any]) -> None:
    assert tomllib.loads(settings_file.render(web_settings=values)) == values


def test_what_is_null_in_the_inventory_is_left_out(settings_file: jinja2.Template) -> None:
    assert tomllib.loads(settings_file.render(web_settings={"workers": None, "threads": 4})) == {"threads": 4}


def test_the_settings_are_those_of_the_cluster(tmp_path: Path) -> None:
    more = {"web": {"workers": 3, "trusted_proxies": ["10.0.0.0/8"]}, "mail": {"password": "a-password"}}
    file = tmp_path / "web.toml"
    file.write_text(render("web/web.toml.j2", **cluster(appliance_settings=more)))
    assert "a-password" not in file.read_text()
    found = load_web(file)
    assert (found.path, found.listen, found.workers) == ("/-/", "192.0.2.11:8090", 3)
    assert found.trusted_proxies == ["192.0.2.11", "192.0.2.21", "2001:db8::/64", "10.0.0.0/8"]
    assert found.intake == Path("/run/appliance-intake/intake.sock")


def test_the_sockets_are_for_front_ends_alone() -> None:
    unit = render("web/appliance-web.socket.j2", **cluster())
    assert re.findall(r"ListenStream=(.*)", unit) == ["/run/appliance-web.sock", "192.0.2.11:8090"]
    assert keys(unit).items() >= {"SocketMode": "0660", "SocketGroup": "www-data"}.items()
    allowed = {"IPAddressDeny": "any", "IPAddressAllow": "192.0.2.11 192.0.2.21 2001:db8::/64"}
    assert keys(render("web/allowed.conf.j2", **cluster())) == allowed


def test_a_host_that_serves_alone_listens_on_no_address() -> None:
    unit = render("web/appliance-web.socket.j2", appliance_web=True, hostvars={"one": {"appliance_web": True}})
    assert re.findall(r"ListenStream=(.*)", unit) == ["/run/appliance-web.sock"]


def test_front_ends_ask_every_host_and_their_own_by_its_socket() -> None:
    nginx = render("frontend/nginx.conf.j2", **cluster(
        appliance_sites=[{"name": "x", "title": "X", "url": "http://x.example/"}],
        frontend_listens_on_ipv6=False, frontend_is_new=False,
    ))  # fmt: skip
    assert re.findall(r"server (\S+) max_fails=1", nginx) == ["unix:/run/appliance-web.sock", "[2001:db8::12]:8091"]


@pytest.mark.parametrize(("host", "name"), [("one", "one"), ("Www.Example", "www-example")])
def test_a_front_end_says_which_one_it_is(host: str, name: str) -> None:
    """By the name that the intake knows: of a publishing host, or of a target."""
    known = cluster(inventory_hostname=host)
    known["hostvars"][host] = known["hostvars"].pop("www") if host != "one" else known["hostvars"][host]
    known["groups"] |= {"all": list(known["hostvars"]), "frontends": ["one", host]}
    nginx = render(
        "frontend/nginx.conf.j2", **known, appliance_sites=[{"name": "x", "title": "X", "url": "http://x.example/"}],
        frontend_listens_on_ipv6=False, frontend_is_new=False,
    )  # fmt: skip
    assert re.findall(r'X-Appliance-Front-End "(.*)"', nginx) == [name] * 2


@pytest.mark.parametrize("host", ["one", "two"])
def test_pages_have_the_form_on_every_publishing_host(host: str) -> None:
    """Also on one without a web process, since each builds pages for all."""
    known = cluster()
    known["hostvars"]["two"].pop("appliance_web")
    known |= {"inventory_hostname": host}
    file = render("publisher/appliance.toml.j2", **known, appliance_sites=[], appliance_database="sqlite")
    found = tomllib.loads(file)["web"]
    own = {"intake_user": "appliance-web", "intake_group": "appliance-web",
           "intake": "/run/appliance-intake/intake.sock"}  # fmt: skip
    assert found == {"path": "/-/", "with_work": False, **(own if host == "one" else {})}


def test_without_the_web_process_nothing_is_said_of_it() -> None:
    assert "web" not in tomllib.loads(render("publisher/appliance.toml.j2", appliance_database="sqlite"))


@needs_systemd
def test_the_service_is_hardly_exposed(tmp_path: Path) -> None:
    unit = tmp_path / "appliance-web.service"
    unit.write_text(render(f"web/{unit.name}.j2"))
    (tmp_path / "appliance-web.socket").write_text(render("web/appliance-web.socket.j2", **cluster()))
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE * 10:.0f}", "--no-pager"]
    found = subprocess.run([*command, unit], capture_output=True, text=True)
    assert "Overall exposure level" in found.stdout, found.stderr
    assert found.returncode == 0, found.stdout


def test_it_has_no_network_but_what_it_is_handed() -> None:
    unit = keys(render("web/appliance-web.service.j2"))
    wanted = {"PrivateNetwork": "yes", "RestrictAddressFamilies": "AF_UNIX", "User": "appliance-web"}
    assert unit.items() >= wanted.items()
