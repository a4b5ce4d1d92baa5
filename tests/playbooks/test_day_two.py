"""What the playbooks for the days after refuse, and what check.yml says of hosts that are down."""

from __future__ import annotations

import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from appliance.demo.frontend import free_port

ROOT = Path(__file__).parents[2]
INVENTORY = """\
publishers: {{hosts: {{pub1: }}}}
frontends: {{hosts: {{www1: , www2: }}}}
all:
  vars:
    ansible_host: 127.0.0.1
    ansible_port: {port}
    appliance_sites: [{{name: blog, title: Blog, url: "https://blog.example/"}}]
"""


def play(tmp_path: Path, name: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a playbook on hosts none of which answers; any that is not refused says that they cannot be reached."""
    return play_on(tmp_path, INVENTORY.format(port=free_port()), name, *options)


def play_on(tmp_path: Path, hosts: str, name: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a playbook on the hosts of an inventory."""
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(hosts)
    beside = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    program = shutil.which("ansible-playbook", path=beside)
    assert program, "ansible-playbook is not in this environment"
    return subprocess.run(
        [program, "-i", str(inventory), str(ROOT / "playbooks" / name), *options],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_HOME": str(tmp_path / "ansible"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("add_frontend.yml", [], "“” is no host of the group frontends (www1, www2); put it into the inventory"),
        ("add_frontend.yml", ["-e", "host=pub1"], "“pub1” is no host of the group frontends"),
        ("decommission.yml", [], "“” is neither a publishing host nor a front end"),
        ("decommission.yml", ["-e", "host=www9"], "“www9” is neither a publishing host nor a front end"),
        ("decommission.yml", ["-e", "host=pub1"], "pub1 is the last publishing host; set up another one"),
        ("rotate_keys.yml", ["-e", "host=www1"], "“www1” is no publishing host of the inventory (pub1)"),
        ("rotate_keys.yml", ["-e", "compromised=true"], "Whose key was lost is not said; name that publishing host"),
    ],
)
def test_it_is_refused_before_any_host_is_asked(tmp_path: Path, name: str, options: list[str], sentence: str) -> None:
    ran = play(tmp_path, name, *options)
    assert ran.returncode == 2
    assert sentence in ran.stdout + ran.stderr
    assert "unreachable=1" not in ran.stdout


def test_a_restore_says_which_publishing_host_does_not_answer(tmp_path: Path) -> None:
    ran = play(tmp_path, "restore.yml")
    assert ran.returncode == 2
    assert "pub1 does not answer or is left out by --limit, and might go on publishing;" in ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("group", "held"), [("databases", "the database"), ("storage", "the shared docroot")], ids=["databases", "storage"]
)
def test_a_host_is_not_taken_away_with_what_others_need(tmp_path: Path, group: str, held: str) -> None:
    hosts = INVENTORY.format(port=free_port()) + f"{group}: {{hosts: {{www1: }}}}\n"
    ran = play_on(tmp_path, hosts, "decommission.yml", "-e", "host=www1")
    assert ran.returncode == 2
    sentence = f"www1 is in the group {group} as well, and {held} would go with it; move {held} to another host, and "
    assert f"{sentence}name that one in the group, before www1 is taken away." in ran.stdout + ran.stderr
    assert "unreachable=1" not in ran.stdout


def test_a_check_names_every_host_that_does_not_answer(tmp_path: Path) -> None:
    ran = play(tmp_path, "check.yml")
    assert ran.returncode == 2
    for host in ("pub1", "www1", "www2"):
        assert f"{host}: it cannot be reached" in ran.stdout
    assert "3 did not pass: pub1: it cannot be reached; www1" in ran.stdout + ran.stderr


def test_a_check_of_one_host_speaks_of_that_host(tmp_path: Path) -> None:
    ran = play(tmp_path, "check.yml", "--limit", "www2")
    assert ran.returncode == 2
    assert "1 did not pass: www2: it cannot be reached" in ran.stdout + ran.stderr
    assert "www1: " not in ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("name", "variable"),
    [(None, "frontend_port"), ("other.example", "frontend_port"), ("*", "frontend_tls_port")],
    ids=["TLS that ends elsewhere", "TLS of another name", "TLS that ends here"],
)
def test_a_check_asks_nginx_by_the_scheme_and_port_it_has(tmp_path: Path, name: str | None, variable: str) -> None:
    asked: list[tuple[str, str | None]] = []

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["Host"]))
            self.send_response(200)
            self.end_headers()

    here: dict[str, Any] = {
        "ansible_connection": "local",
        "ansible_become": False,
        "ansible_python_interpreter": sys.executable,
    }
    with HTTPServer(("127.0.0.1", 0), Page) as served:
        if variable == "frontend_tls_port":
            served.socket = certified(tmp_path).wrap_socket(served.socket, server_side=True)
        threading.Thread(target=served.serve_forever, daemon=True).start()
        here |= {variable: served.server_port, "frontend_tls": [{"name": name}] if name else []}
        here |= {"appliance_docroot": str(tmp_path)}
        here |= {"appliance_sites": [{"name": "blog", "title": "Blog", "url": "https://blog.example/notes/"}]}
        hosts: dict[str, Any] = {group: {"hosts": {"www1": {}}} for group in ("publishers", "frontends")}
        ran = play_on(tmp_path, json.dumps({**hosts, "all": {"vars": here}}), "check.yml")
        served.shutdown()
    assert asked == [("/notes/", "blog.example")], ran.stdout + ran.stderr
    assert "nginx does not answer" not in ran.stdout


def test_settings_alone_are_written_for_the_release_in_use(tmp_path: Path) -> None:
    here: dict[str, Any] = {"ansible_connection": "local", "ansible_become": False, "appliance_validated": True}
    here |= {"ansible_python_interpreter": sys.executable, "appliance_home": str(tmp_path / "home")}
    here |= {"appliance_settings_folder": str(tmp_path), "appliance_user": "root", "appliance_group": "root"}
    here |= {"appliance_sites": [{"name": "blog", "title": "Blog", "url": "https://blog.example/"}]}
    here |= {"appliance_database_url": "postgresql://blog:never-shown@192.0.2.9/blog"}
    hosts: dict[str, Any] = {group: {"hosts": {"pub1": {}}} for group in ("publishers", "frontends")}
    inventory = json.dumps({**hosts, "all": {"vars": here}})
    ran = play_on(tmp_path, inventory, "publishers.yml", "--tags=settings", "--check", "--diff")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(r"TASK \[publisher : Write the settings\] \*+\nchanged: \[pub1\]", ran.stdout), ran.stdout
    assert "never-shown" not in ran.stdout


def certified(folder: Path) -> ssl.SSLContext:
    """TLS with a certificate made on the spot."""
    words = ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=blog.example"]
    subprocess.run([*words, "-keyout", "a.key", "-out", "a.pem"], cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "a.pem", folder / "a.key")
    return context
