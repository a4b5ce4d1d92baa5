"""An inventory that cannot work is refused with the sentence that mends it, before anything on any host is touched.

Nearly all is read from the inventory alone, so this machine stands for all hosts: the plays connect to it locally and
begin behind the gathering of facts, which takes longest. A play behind the refusal leaves a file when it is reached.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SITE = {"name": "blog", "title": "Blog", "url": "https://www.example.org/"}
CLOSED = (
    "is a folder of the system, or one with or around what must not be served; "
    "choose a folder of its own, such as /srv/www."
)
PLAIN = (
    "is no plain absolute path; write one like /srv/www, of letters, digits, dots, hyphens and underscores, "
    "the same on every host."
)
HIDDEN = (
    "is hidden from what runs on pub1 under systemd, which sees nothing below /home, /root, /run/user; "
    "choose a folder elsewhere, such as"
)
INTERVALS = "5m, 10m, 30m, hourly, 2h, 6h, 12h, daily, weekly, monthly."
INCOMPLETE = (
    "appliance_sites: every installation has at least one site, and every site a name, a title and a url such as "
    "https://www.example.org/ with a slash at its end; complete them in the inventory."
)


class Wrong(NamedTuple):
    """An inventory that differs from one that works, and what is said of it."""

    says: str
    variables: Mapping[str, Any] = {}
    groups: Mapping[str, list[str]] = {}
    #: Variables of single hosts.
    hosts: Mapping[str, Mapping[str, Any]] = {}


pytestmark = pytest.mark.slow
#: What comes after the facts have been gathered.
BEHIND_FACTS = "--start-at-task=Refuse an invalid inventory"

CASES = {
    "two publishing hosts with SQLite": Wrong(
        "The publishing hosts pub1, pub2 cannot share an SQLite file; put a host into the group databases, set "
        "appliance_database_url, or leave one publishing host.",
        groups={"publishers": ["pub1", "pub2"]},
    ),
    "two database hosts": Wrong(
        "PostgreSQL is wanted, but the group databases has 2 hosts; name exactly one there, or set "
        "appliance_database_url.",
        groups={"databases": ["db1", "db2"]},
    ),
    "no front end": Wrong(
        "The group frontends has no host; name one at least in the inventory.", groups={"frontends": []}
    ),
    "no publishing host": Wrong(
        "The group publishers has no host; name one at least in the inventory.", groups={"publishers": []}
    ),
    "a relative docroot": Wrong(f"appliance_docroot: “srv/www” {PLAIN}", {"appliance_docroot": "srv/www"}),
    "the root as docroot": Wrong(f"appliance_docroot: “/” {PLAIN}", {"appliance_docroot": "/"}),
    "a docroot that climbs": Wrong(f"appliance_docroot: “/srv/../etc” {PLAIN}", {"appliance_docroot": "/srv/../etc"}),
    "/etc as docroot": Wrong(f"appliance_docroot: “/etc” {CLOSED}", {"appliance_docroot": "/etc"}),
    "a docroot below /usr": Wrong(f"appliance_docroot: “/usr/www” {CLOSED}", {"appliance_docroot": "/usr/www"}),
    "a docroot with the database in it": Wrong(
        f"appliance_docroot: “/var/lib/appliance/www” {CLOSED}", {"appliance_docroot": "/var/lib/appliance/www"}
    ),
    "a docroot of its own on one host": Wrong(
        "appliance_docroot is “/srv/www” on pub1 and “/srv/other” on www1; the path must be the same on every host.",
        hosts={"pub1": {"appliance_docroot": "/srv/www"}, "www1": {"appliance_docroot": "/srv/other"}},
    ),
    "a docroot that daemons do not see": Wrong(
        f"appliance_docroot: “/home/ida/www” {HIDDEN} /srv/www.", {"appliance_docroot": "/home/ida/www"}
    ),
    "settings that daemons do not see": Wrong(
        f"appliance_settings_folder: “/root/appliance” {HIDDEN} /etc/appliance.",
        {"appliance_settings_folder": "/root/appliance"},
    ),
    "a home that backups do not see": Wrong(
        f"appliance_home: “/home/publish” {HIDDEN} /var/lib/appliance.",
        {"appliance_home": "/home/publish", "schedule_mode": "cron"},
    ),
    "a docroot right below the root": Wrong(
        "appliance_docroot: on pub1 daemons and timers write the folder above “/www”, which is the whole system; "
        "choose a docroot that lies deeper, such as /srv/www.",
        {"appliance_docroot": "/www"},
    ),
    "a shared docroot whose mount is right below the root": Wrong(
        "appliance_docroot: on pub1 daemons and timers write the folder above the mount of “/data/www”, which is the "
        "whole system; choose a docroot that lies deeper, such as /srv/blog/www.",
        {"appliance_docroot": "/data/www", "appliance_shared": "blog"},
    ),
    "an unknown interval": Wrong(
        "schedule_mode “cron” with schedule_interval “fortnightly” is unknown on pub1; the modes are daemon, timer, "
        f"cron, the intervals {INTERVALS}",
        {"schedule_mode": "cron", "schedule_interval": "fortnightly"},
    ),
    "an unknown mode": Wrong(
        "schedule_mode “at” with schedule_interval “10m” is unknown on pub1; the modes are daemon, timer, cron, the "
        f"intervals {INTERVALS}",
        {"schedule_mode": "at"},
    ),
    "no site": Wrong(INCOMPLETE, {"appliance_sites": []}),
    "a site without its address": Wrong(INCOMPLETE, {"appliance_sites": [{"name": "blog", "title": "Blog"}]}),
    "a theme that is not there": Wrong(
        "publisher_themes: there is no folder “/nowhere/paper” on the machine that Ansible runs on; correct the path, "
        "which begins where ansible-playbook is run.",
        {"publisher_themes": ["/nowhere/paper"]},
    ),
    "a certificate that is not there": Wrong(
        "frontend_tls: the certificate or the key of www.example.org is not on the machine that Ansible runs on; "
        "correct the paths, or leave frontend_tls_copy out if they are on the front ends.",
        {
            "frontend_tls": [{"name": "www.example.org", "certificate": "/nowhere/a.pem", "key": "/nowhere/a.key"}],
            "frontend_tls_copy": True,
        },
    ),
    "a database host that takes its own name for itself alone": Wrong(
        "appliance_address: db1 takes “localhost” for a loopback address, where nobody else reaches PostgreSQL; "
        "give db1 an IP address there, or in database_listen.",
        groups={"databases": ["db1"]},
        hosts={"db1": {"appliance_address": "localhost"}},
    ),
    "a certificate of the database without its key": Wrong(
        "database_certificate is given on db1 and database_key is not; name both, or neither for the certificate that "
        "the distribution makes there.",
        {"database_certificate": "/nowhere/a.pem"},
        {"databases": ["db1"]},
    ),
    "a key of the database without its certificate": Wrong(
        "database_key is given on db1 and database_certificate is not; name both, or neither for the certificate that "
        "the distribution makes there.",
        {"database_key": "/nowhere/a.key"},
        {"databases": ["db1"]},
    ),
    "a certificate of the database that is not there": Wrong(
        "database_certificate: there is no file “/nowhere/a.pem” on the machine that Ansible runs on; correct the "
        "path.",
        {"database_certificate": "/nowhere/a.pem", "database_key": "/nowhere/a.key"},
        {"databases": ["db1"]},
    ),
    "a name that a shell would take apart": Wrong(
        "“www1;reboot” is no name for a host; use letters, digits, dots, hyphens and underscores, and put the address "
        "into ansible_host.",
        groups={"frontends": ["www1;reboot"]},
    ),
    "two front ends that would be one target": Wrong(
        "The names WWW-1, www.1 of the front ends are not distinct without capitals and with hyphens for dots, as "
        "targets are called; rename one in the inventory, and put the address into ansible_host.",
        groups={"frontends": ["www.1", "WWW-1"]},
    ),
}

#: Hosts with addresses, of which one takes comments.
PLACED: Mapping[str, Mapping[str, Any]] = {
    "pub1": {"appliance_web": True, "appliance_address": "192.0.2.11"},
    "www1": {"appliance_address": "192.0.2.21"},
}
CASES |= {
    "comments without a daemon": Wrong(
        "appliance_web: pub1 works by timer, so nothing would take comments in between; set schedule_mode to daemon "
        "there, or appliance_web to false.",
        {"schedule_mode": "timer"},
        hosts=PLACED,
    ),
    "a path of two folders for comments": Wrong(
        "appliance_web_path: “/a/b/” is not one folder between slashes; write it like /-/.",
        {"appliance_web_path": "/a/b/"},
        hosts=PLACED,
    ),
    "a path for comments that a site has": Wrong(
        "appliance_web_path: “/notes/” would hide the site notes, which is at https://www.example.org/notes/; choose "
        "another path, such as /-/.",
        {
            "appliance_web_path": "/notes/",
            "appliance_sites": [{**SITE, "name": "notes", "url": "https://www.example.org/notes/", "folder": "notes"}],
        },
        hosts=PLACED,
    ),
    "a path for comments of its own on one host": Wrong(
        "appliance_web_path is “/-/” on pub1 and “/x/” on www1; all hosts publish the same pages, so set it once for "
        "all.",
        hosts={**PLACED, "www1": {**PLACED["www1"], "appliance_web_path": "/x/"}},
    ),
    "settings of the web process that follow from others": Wrong(
        "appliance_settings: web.listen, web.path follow from appliance_web_path and the other variables that begin "
        "with appliance_web; set those.",
        {"appliance_settings": {"web": {"path": "/-/", "listen": "127.0.0.1:8090", "workers": 2}}},
        hosts=PLACED,
    ),
    "a web process with the account that publishes": Wrong(
        "The web process cannot run as “publish” of the group “appliance-web”; set appliance_web_user and "
        "appliance_web_group to an account and a group of its own, such as appliance-web.",
        {"appliance_web_user": "publish"},
        hosts=PLACED,
    ),
    "a web process at a name": Wrong(
        "appliance_web_address: the web process of pub1 would be at pub1.example, port 8090, which is no IP address; "
        "give pub1 an IP address that the front ends reach, and a port.",
        hosts={**PLACED, "pub1": {"appliance_web": True, "appliance_address": "pub1.example"}},
    ),
    "a web process that no other host reaches": Wrong(
        "appliance_web_address: the web process of pub1 would be at 127.0.0.1, port 8090, which is an address where no "
        "other host reaches it; give pub1 an IP address that the front ends reach, and a port.",
        hosts={**PLACED, "pub1": {**PLACED["pub1"], "appliance_web_address": "127.0.0.1"}},
    ),
    "a web process at no port": Wrong(
        "appliance_web_address: the web process of pub1 would be at 192.0.2.11, port 70000, which is no port; give "
        "pub1 an IP address that the front ends reach, and a port.",
        {"appliance_web_port": 70000},
        hosts=PLACED,
    ),
    "a front end that the web process does not know": Wrong(
        "appliance_address: “www1.example” of www1 is neither an IP address nor a network; the web process takes "
        "requests from front ends by their addresses, so give www1 IP addresses in appliance_from.",
        hosts={**PLACED, "www1": {"appliance_address": "www1.example"}},
    ),
    "a front end that comes from a pattern": Wrong(
        "appliance_from: “192.0.2.*” of www1 is neither an IP address nor a network; the web process takes requests "
        "from front ends by their addresses, so give www1 IP addresses in appliance_from.",
        hosts={**PLACED, "www1": {**PLACED["www1"], "appliance_from": ["192.0.2.*"]}},
    ),
}


_DATABASES = {"databases": ["db1"]}
#: Inventories of which nothing is wrong.
WORKING = {
    "as it comes": Wrong(""),
    "a docroot that cron sees": Wrong("", {"appliance_docroot": "/home/ida/www", "schedule_mode": "cron"}),
    "a shared docroot": Wrong("", {"appliance_docroot": "/data/blog/www", "appliance_shared": "blog"}),
    "a database by address": Wrong("", {"appliance_address": "192.0.2.7"}, _DATABASES),
    "one everywhere": Wrong("", {"appliance_address": "localhost", "database_listen": ["*"]}, _DATABASES),
    "comments": Wrong("", {"appliance_settings": {"web": {"workers": 4}}}, hosts=PLACED),
}


class Run(NamedTuple):
    """What came of a playbook."""

    code: int
    said: str
    reached: bool


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Every case, and every inventory that works."""
    above = tmp_path_factory.mktemp("refusals")
    cases = CASES | WORKING
    folders = [above / str(number) for number in range(len(cases))]
    for folder, case in zip(folders, cases.values(), strict=True):
        prepare(folder, case)
    words = [sys.executable, Path(__file__).with_name("many_plays.py"), *folders, "--", BEHIND_FACTS]
    done = subprocess.run(words, env=environment(above), capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr
    played = zip(cases, folders, json.loads(done.stdout), strict=True)
    return {case: Run(code, (at / "said").read_text(), (at / "reached").exists()) for case, at, code in played}


@pytest.mark.parametrize("case", CASES)
def test_it_is_refused_before_anything_is_touched(runs: dict[str, Run], case: str) -> None:
    code, said, reached = runs[case]
    assert code == 2, said
    assert CASES[case].says in re.findall(r'"msg": "(.*?)"[,}]', said)
    assert not reached
    assert set(re.findall(r"changed=(\d+)", said)) == {"0"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a process another system's release files")
def test_a_system_the_roles_do_not_know_is_refused(tmp_path: Path) -> None:
    release = tmp_path / "os-release"
    release.write_text('ID=debian\nNAME="Debian GNU/Linux"\nVERSION_ID="11"\nVERSION="11 (bullseye)"\n')
    version = tmp_path / "debian_version"
    version.write_text("11.11\n")
    mounts = f"mount --bind {release} /etc/os-release && mount --bind {version} /etc/debian_version"
    run = play(tmp_path / "run", Wrong(""), before=("unshare", "--mount", "sh", "-c", f'{mounts} && exec "$@"', "sh"))
    assert run.code == 2, run.said
    assert "pub1 runs Debian 11.11; the roles know Debian 12 and 13 and Ubuntu 24.04." in run.said
    assert not run.reached


def test_a_part_of_the_playbook_refuses_as_well(tmp_path: Path) -> None:
    case = CASES["a relative docroot"]
    run = play(tmp_path / "run", case, "--tags=schedule")
    assert (run.code, case.says in run.said) == (2, True), run.said


@pytest.mark.parametrize("case", WORKING)
def test_an_inventory_that_works_is_let_through(runs: dict[str, Run], case: str) -> None:
    assert runs[case].code == 0, runs[case].said
    assert runs[case].reached


@pytest.mark.parametrize(
    ("certificate", "key", "says"),
    [
        ("a.pem", "a.key", None),
        (
            "a.pem",
            "b.key",
            "database_key: “{folder}/b.key” does not belong to “{folder}/a.pem”, which database_certificate names; "
            "name two that do.",
        ),
        (
            "a.key",
            "a.key",
            "database_certificate: “{folder}/a.key” is no certificate that openssl reads; name one in PEM.",
        ),
        (
            "a.pem",
            "locked.key",
            "database_key: “{folder}/locked.key” is no private key that openssl reads; name one in PEM, without a "
            "passphrase.",
        ),
    ],
    ids=["a pair", "another's key", "no certificate", "a passphrase"],
)
def test_a_certificate_of_the_database_that_does_not_fit_is_refused(
    tmp_path: Path, certificate: str, key: str, says: str | None
) -> None:
    for name in ("a", "b"):
        openssl(tmp_path, f"req -x509 -newkey ed25519 -nodes -subj /CN=db1 -keyout {name}.key -out {name}.pem")
    openssl(tmp_path, "pkey -in a.key -aes256 -passout pass:word -out locked.key")
    names = {"database_certificate": str(tmp_path / certificate), "database_key": str(tmp_path / key)}
    run = play(tmp_path / "run", Wrong("", names, {"databases": ["db1"]}), BEHIND_FACTS)
    assert (run.code, run.reached) == ((2, False) if says else (0, True)), run.said
    assert says is None or says.format(folder=tmp_path) in re.findall(r'"msg": "(.*?)"[,}]', run.said)
    assert "PRIVATE KEY" not in run.said


def openssl(folder: Path, words: str) -> None:
    """Make keys and certificates."""
    subprocess.run(["openssl", *words.split()], cwd=folder, check=True, capture_output=True)


def test_refusing_comes_first_in_the_playbook_that_users_run() -> None:
    first = yaml.safe_load((ROOT / "site.yml").read_text())[0]
    assert first["ansible.builtin.import_playbook"] == "playbooks/validate.yml"


def play(folder: Path, wrong: Wrong, *options: str, before: Sequence[str] = ()) -> Run:
    """Refuse what cannot work, then leave a file."""
    prepare(folder, wrong)
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    words = [*before, program, "--inventory=inventory.yml", *options, "site.yml"]
    done = subprocess.run(words, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=240)
    return Run(done.returncode, done.stdout + done.stderr, (folder / "reached").exists())


def prepare(folder: Path, wrong: Wrong) -> None:
    """Write the inventory and the playbook."""
    folder.mkdir()
    (folder / "inventory.yml").write_text(yaml.safe_dump(inventory(wrong)))
    (folder / "site.yml").write_text(yaml.safe_dump([
        {"name": "Refuse", "ansible.builtin.import_playbook": str(ROOT / "playbooks" / "validate.yml")},
        {"name": "Go on", "hosts": "all", "gather_facts": False, "tasks": [
            {"name": "Leave a file", "ansible.builtin.raw": f"touch {folder / 'reached'}"},
        ]},
    ]))  # fmt: skip


def environment(folder: Path) -> dict[str, str]:
    """The environment of Ansible, whose home is in a folder."""
    env = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_HOME": str(folder / "home")}
    return env | {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "0"}


def inventory(wrong: Wrong) -> dict[str, Any]:
    """One publishing host and one front end, apart from what is wrong."""
    groups = {"publishers": ["pub1"], "frontends": ["www1"], "databases": [], "storage": [], **wrong.groups}
    python = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    return {
        "all": {
            "vars": {**python, "appliance_sites": [SITE], **wrong.variables},
            "children": {
                group: {"hosts": {host: dict(wrong.hosts.get(host, {})) for host in hosts}}
                for group, hosts in groups.items()
            },
        }
    }
