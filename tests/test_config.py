from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from appliance import config
from appliance.config import Config, error_messages
from appliance.errors import ConfigError
from tests.conftest import MakeConfig

GOOD = """
docroot = "/srv/www"

[[sites]]
name = "blog"
title = "A blog"
url = "https://www.example.org"

[[targets]]
name = "front1"
address = "publish@front1.example.org:/srv/www"
"""


def read(tmp_path: Path, text: str) -> Config:
    file = tmp_path / "appliance.toml"
    file.write_text(text, "utf-8")
    return config.load(file)


def refused(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert caught.value.exit_code == 3
    assert str(caught.value).splitlines() == [f"{tmp_path / 'appliance.toml'}: {f}" for f in caught.value.faults]
    return caught.value.faults


def target(tmp_path: Path, address: str, more: str = "") -> config.TargetSettings:
    return read(tmp_path, GOOD.replace("publish@front1.example.org:/srv/www", address) + more).targets[0]


def test_a_small_file_is_enough(tmp_path: Path) -> None:
    settings = read(tmp_path, GOOD)
    assert settings.docroot == Path("/srv/www")
    assert settings.sites[0].url == "https://www.example.org/"
    assert settings.database_file == tmp_path / "appliance.db"
    assert settings.assets_folder == tmp_path / "assets"
    assert settings.staging_folder == Path("/srv/.www.staging")
    assert settings.host_name == os.uname().nodename
    assert settings.queue.workers == 2
    assert settings.path == tmp_path / "appliance.toml"


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    found = refused(
        tmp_path,
        """
        docroot = "www"
        worker = 2
        [[sites]]
        name = "blog"
        title = 5
        url = "www.example.org"
        colour = "red"
        [[sites]]
        name = "blog"
        title = "Another"
        url = "https://example.org/"
        timezone = "Europe/Atlantis"
        week_starts = "tuesday"
        [[targets]]
        name = "front1"
        address = "publish@front1:srv/www"
        adress = "x"
        [[targets]]
        address = "front2"
        port = 0
        [queue]
        workers = "two"
        batch = 1.5
        retries = true
        lease = nan
        [delivery]
        ssh_key = "id_ed25519"
        timeout = "1"
        """,
    )
    assert found == [
        "docroot: “www” is relative; write the absolute path, beginning with /",
        "sites.blog.title: must be text in quotes, not 5",
        "sites.blog.url: “www.example.org” is not a site address; write it like https://www.example.org/",
        "sites.blog.colour: unknown key; remove it, or use one of comment_endpoint, comments, description, "
        "empty_archives, folder, language, name, settings, sources, theme, timezone, title, url, week_starts",
        "sites.blog.timezone: “Europe/Atlantis” is not a time zone; use a name such as Europe/Berlin or UTC",
        'sites.blog.week_starts: must be monday or sunday, not "tuesday"',
        "targets.front1.address: “publish@front1:srv/www” has a relative path; "
        "write the absolute one, like user@host:/srv/www",
        "targets.front1.adress: unknown key; did you mean address?",
        "targets #2.name: is missing; add it",
        "targets #2.port: must be 1 or more, not 0",
        'queue.workers: must be a whole number, without quotes, not "two"',
        "queue.batch: must be a whole number, without quotes, not 1.5",
        "queue.lease: must be a finite number, not NaN",
        "queue.retries: must be a whole number, without quotes, not true",
        "delivery.ssh_key: “id_ed25519” is relative; write the absolute path, beginning with /",
        'delivery.timeout: must be a whole number, without quotes, not "1"',
        "worker: unknown key; remove it, or use one of admin, assets, caches, checkouts, database, deletions, "
        "delivery, docroot, host, mail, publishing_hosts, queue, schedule, shared, sites, staging, targets, web, "
        "webhooks",
        "sites: the name “blog” is used twice; give each its own",
        "sites: the folder “” (the docroot itself) is used twice; give each its own",
    ]


def test_contradictions_are_told_beside_other_faults(tmp_path: Path) -> None:
    two = GOOD + '[[targets]]\nname = "front1"\naddress = "front2:/srv/other"\n[queue]\nworkers = "two"\n'
    assert refused(tmp_path, two) == [
        'queue.workers: must be a whole number, without quotes, not "two"',
        "targets: the name “front1” is used twice; give each its own",
        "targets.front1.address: path “/srv/other” differs from docroot “/srv/www”; "
        "use the same path on every host, or set other_path = true",
    ]
    assert refused(tmp_path, two.replace('"two"', "2")) == [
        "targets: the name “front1” is used twice; give each its own",
        "targets.front1.address: path “/srv/other” differs from docroot “/srv/www”; "
        "use the same path on every host, or set other_path = true",
    ]


def test_an_unknown_key_is_told_with_the_one_that_was_meant(tmp_path: Path) -> None:
    assert refused(tmp_path, 'docrot = "/srv/x"\n' + GOOD) == ["docrot: unknown key; did you mean docroot?"]
    assert refused(tmp_path, GOOD + "[queue]\nworker = 3\n") == ["queue.worker: unknown key; did you mean workers?"]
    assert refused(tmp_path, 'path = "/x"\nquoue = 1\n' + GOOD) == [
        "path: unknown key; remove it",
        "quoue: unknown key; did you mean queue?",
    ]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('workers = "2"', 'queue.workers: must be a whole number, without quotes, not "2"'),
        ("workers = 2.0", "queue.workers: must be a whole number, without quotes, not 2.0"),
        ("workers = 257", "queue.workers: must be 256 or less, not 257"),
        ("lease = 0", "queue.lease: must be more than 0, not 0"),
        ("lease = true", "queue.lease: must be a number, without quotes, not true"),
        ("ageing = 1979-05-27", "queue.ageing: must be a number, without quotes, not 1979-05-27"),
    ],
)
def test_a_wrong_type_is_refused(tmp_path: Path, line: str, fault: str) -> None:
    assert refused(tmp_path, f"{GOOD}[queue]\n{line}\n") == [fault]


def test_a_whole_number_will_do_for_a_number(tmp_path: Path) -> None:
    assert read(tmp_path, GOOD + "[queue]\nlease = 20\n").queue.lease == 20.0


def test_a_table_where_a_list_of_tables_belongs_is_refused(tmp_path: Path) -> None:
    (fault,) = refused(tmp_path, 'docroot = "/srv/www"\n[sites]\nname = "blog"\n')
    assert fault.startswith("sites: must be a list of tables, each begun with [[sites]], not {")
    (fault,) = refused(tmp_path, "queue = 3\n" + GOOD)
    assert fault == "queue: must be a table of keys and values, not 3"
    assert refused(tmp_path, 'docroot = "/srv/www"\nsites = []\n') == ["sites: is empty; add at least one"]
    assert refused(tmp_path, "") == ["docroot: is missing; add it", "sites: is missing; add it"]


@pytest.mark.parametrize("docroot", ["/", "//", "/etc", "//etc", "/etc/", "/etc/www", "/proc/1/root", "/home", "/tmp"])
def test_a_system_folder_is_no_docroot(tmp_path: Path, docroot: str) -> None:
    (fault,) = refused(tmp_path, GOOD.replace("/srv/www", docroot, 1).replace("front1.example.org:/srv/www", "front1"))
    assert re.fullmatch(r"docroot: “/.*” is a system folder; name a folder made for the site, such as /srv/www", fault)


@pytest.mark.parametrize("docroot", ["./www", "www", "", "~/www", "/srv/../etc", "/srv/www\\u0000"])
def test_a_docroot_must_be_plain_and_absolute(tmp_path: Path, docroot: str) -> None:
    (fault,) = refused(tmp_path, GOOD.replace("/srv/www", docroot, 1))
    assert fault.startswith("docroot: ")
    assert re.search(r"is relative; write|contains \.\.; write|cannot be printed; write", fault)


@pytest.mark.parametrize(
    ("address", "host", "path"),
    [
        ("publish@front1.example.org:/srv/www", "publish@front1.example.org", "/srv/www"),
        ("front1:/srv/www", "front1", "/srv/www"),
        ("front1", "front1", "/srv/www"),
        ("publish@front1", "publish@front1", "/srv/www"),
        ("publish@[2001:db8::1]:/srv/www", "publish@[2001:db8::1]", "/srv/www"),
        ("[fe80::1%eth0]:/srv/www/", "[fe80::1%eth0]", "/srv/www"),
        ("192.0.2.7:/srv/www", "192.0.2.7", "/srv/www"),
    ],
)
def test_an_address_names_host_and_path(tmp_path: Path, address: str, host: str, path: str) -> None:
    found = target(tmp_path, address)
    assert (found.host, found.path(Path("/srv/www"))) == (host, Path(path))


def test_a_folder_on_this_host_is_a_target(tmp_path: Path) -> None:
    found = target(tmp_path, "/srv/copy", "other_path = true\n")
    assert (found.host, found.path(Path("/srv/www"))) == (None, Path("/srv/copy"))


@pytest.mark.parametrize(
    ("address", "mend"),
    [
        ("publish@front1:srv/www", "write the absolute one"),
        ("front1:", "write the absolute one"),
        ("fe80::1:/srv/www", "write the absolute one"),
        ("::1", "write user@host:/srv/www"),
        ("-oProxyCommand=true", "write user@host:/srv/www"),
        ("-x@front1:/srv/www", "write user@host:/srv/www"),
        ("front 1:/srv/www", "write user@host:/srv/www"),
        ("", "write user@host:/srv/www"),
        ("front1:/srv/../etc", "write the path without it"),
        ("front1:/", "name a folder made for the site"),
        ("front1:/etc/nginx", "name a folder made for the site"),
        ("/srv/www", "a target is another place"),
        ("/srv/www/copy", "choose a separate folder"),
        ("front1:/srv/other", "use the same path on every host"),
    ],
)
def test_an_unusable_address_is_refused_by_the_targets_name(tmp_path: Path, address: str, mend: str) -> None:
    (fault,) = refused(tmp_path, GOOD.replace("publish@front1.example.org:/srv/www", address))
    assert fault.startswith("targets.front1.address: ")
    assert mend in fault


def test_two_targets_are_two_places(tmp_path: Path) -> None:
    twin = '[[targets]]\nname = "twin"\naddress = "publish@front1.example.org:/srv/www"\n'
    (fault,) = refused(tmp_path, GOOD + twin)
    assert fault.startswith("targets: the address “publish@front1.example.org:/srv/www” is used twice")
    assert len(read(tmp_path, GOOD + twin + "port = 2222\n").targets) == 2


@pytest.mark.parametrize(
    ("option", "mend"),
    [
        ("Host *", "put those into ~/.ssh/config"),
        ("match=all", "put those into ~/.ssh/config"),
        ("RemoteCommand=true", "remove it"),
        ("SessionType none", "remove it"),
        ("-J gate", "write it like ProxyJump=gate"),
        ("ProxyJump", "write it like ProxyJump=gate"),
        ("ProxyJump=a\\nHost *", "write it like ProxyJump=gate"),
    ],
)
def test_an_option_of_ssh_is_one_and_of_the_target_alone(tmp_path: Path, option: str, mend: str) -> None:
    (fault,) = refused(tmp_path, GOOD.replace("[[targets]]", f'[[targets]]\nssh_options = ["{option}"]', 1))
    assert fault.startswith("targets.") and mend in fault


@pytest.mark.parametrize("line", ['database = "/srv/www/a.db"', 'assets = "/srv/www/a"', 'staging = "/srv/www/.tmp"'])
def test_nothing_private_lies_in_the_docroot(tmp_path: Path, line: str) -> None:
    (fault,) = refused(tmp_path, line + GOOD)
    assert fault.startswith(line.split()[0] + ": ")
    assert "would be served" in fault


@pytest.mark.parametrize("folder", ["/blog", "../blog", "a//b", "a/.git", "a\\\\b", "a\\nb", "."])
def test_a_site_stays_below_the_docroot(tmp_path: Path, folder: str) -> None:
    (fault,) = refused(tmp_path, GOOD.replace("[[targets]]", f'folder = "{folder}"\n[[targets]]'))
    assert fault.startswith("sites.blog.folder: ")


def test_what_is_not_toml_is_told_with_its_line(tmp_path: Path) -> None:
    (fault,) = refused(tmp_path, "docroot = /srv/www\n")
    assert fault.startswith("is not TOML: ")
    assert "line 1" in fault
    (tmp_path / "appliance.toml").write_bytes(b'docroot = "\xff"')
    with pytest.raises(ConfigError, match="is not TOML"):
        config.load(tmp_path / "appliance.toml")


def test_a_file_from_windows_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, "\ufeff" + GOOD.replace("\n", "\r\n")).docroot == Path("/srv/www")


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file or directory"):
        config.load(tmp_path / "none.toml")


def test_the_named_file_comes_first_then_the_folder_then_the_host(tmp_path: Path) -> None:
    named, here, host = tmp_path / "named.toml", tmp_path / "here" / "appliance.toml", tmp_path / "host.toml"
    here.parent.mkdir()
    for file in (named, here, host):
        file.touch()
    environ = {"APPLIANCE_CONFIG": str(named)}
    assert config.find(here.parent, environ, host) == named
    assert config.find(here.parent, {}, host) == here
    here.unlink()
    assert config.find(here.parent, {}, host) == host
    host.unlink()
    with pytest.raises(ConfigError, match=re.escape("invoke site.init FOLDER")):
        config.find(here.parent, {}, host)
    named.unlink()
    with pytest.raises(ConfigError, match=r"APPLIANCE_CONFIG names .*named\.toml, which is not a file"):
        config.find(here.parent, environ, host)


def test_a_site_is_found_by_its_name(tmp_path: Path) -> None:
    settings = read(tmp_path, GOOD)
    assert settings.site("blog") is settings.sites[0]
    with pytest.raises(ConfigError, match="there is no site “shop”; the sites are blog"):
        settings.site("shop")


def test_every_setting_says_what_it_means() -> None:
    for section in ((), ("sites",), ("targets",), ("queue",), ("delivery",)):
        keys = error_messages.known_keys(Config, section)
        assert keys
        assert "path" not in keys


def test_sqlite_with_several_publishing_hosts_is_refused(tmp_path: Path) -> None:
    raw = {
        "docroot": str(tmp_path / "www"),
        "publishing_hosts": ["one", "two"],
        "sites": [{"name": "blog", "title": "A", "url": "https://blog.example/"}],
    }
    with pytest.raises(ConfigError, match="several publishing hosts cannot share an SQLite file"):
        config.validate(raw, tmp_path / "appliance.toml")
    made = config.validate(
        {**raw, "database": "postgresql://appliance@db.example/appliance"}, tmp_path / "appliance.toml"
    )
    assert made.database_url == "postgresql://appliance@db.example/appliance"


def test_a_database_of_another_kind_is_refused(tmp_path: Path) -> None:
    site = {"name": "blog", "title": "A", "url": "https://blog.example/"}
    raw = {"docroot": str(tmp_path / "www"), "database": "mysql://db/x", "sites": [site]}
    with pytest.raises(ConfigError, match="postgresql://user@host/name"):
        config.validate(raw, tmp_path / "appliance.toml")


@pytest.mark.parametrize("key", ["url", "preview_url"])
def test_no_site_has_the_name_of_the_admin_application(make_config: MakeConfig, key: str) -> None:
    admin = {"url": "https://admin.example.org/", "preview_url": "https://preview.example.org/"}
    make_config(admin=admin)
    with pytest.raises(ConfigError, match=rf"admin\.{key}: blog\.example is the host of the site blog"):
        make_config(admin={**admin, key: "https://blog.example/"})
