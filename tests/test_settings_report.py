"""The settings as people see them: where each value comes from, what is wrong in them, and never a secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from appliance import clock, settings_report
from appliance.config import Config, load, validate
from appliance.config.shown import ShownSetting, describe_setting, hide_values, shown_settings
from appliance.queue.processes import RegisteredProcess
from appliance.settings_report import SettingsWatch
from tests.web_stack import to_toml

#: In every place of the settings in which a secret may stand.
CANARY = "canary-7f3a"
SITE = {"name": "blog", "title": "A Blog", "url": "https://blog.example/"}


def settings(folder: Path, **more: Any) -> dict[str, Any]:
    return {"docroot": str(folder / "www"), "host": "here", "sites": [SITE], **more}


def write(folder: Path, **more: Any) -> Path:
    file = folder / "appliance.toml"
    file.write_text(to_toml(settings(folder, **more)), "utf-8")
    return file


def row(found: list[ShownSetting], section: str, key: str) -> ShownSetting:
    return next(each for each in found if (each.section, each.key) == (section, key))


def secretive(folder: Path) -> dict[str, Any]:
    return settings(
        folder,
        database=f"postgresql://appliance:{CANARY}/@{CANARY}@db.example/blog?sslmode=require&sslpassword={CANARY}",
        caches=[{"name": "varnish", "url": f"http://user:{CANARY}@cache.example/", "headers": {"X-Key": CANARY}}],
        webhooks=[
            {"name": "chat", "url": f"https://hooks.example/services/{CANARY}", "events": ["job.failed"],
             "secret_file": "/etc/hook"}
        ],
        sites=[{**SITE, "settings": {"map_token": CANARY, "tagline": "By the sea"}}],
    )  # fmt: skip


def test_each_key_says_where_its_value_comes_from(tmp_path: Path) -> None:
    config = load(write(tmp_path, queue={"workers": 4}, targets=[{"name": "www1", "address": str(tmp_path / "www1"),
                                                                  "other_path": True}]))  # fmt: skip
    found = shown_settings(config)
    assert row(found, "queue", "workers") == ShownSetting("queue", "workers", "4", "file")
    assert row(found, "queue", "batch") == ShownSetting("queue", "batch", "50", "default")
    assert row(found, "targets.www1", "other_path").value == "true"
    assert row(found, "sites.blog.comments", "moderation") == ShownSetting(
        "sites.blog.comments", "moderation", '"first"', "default"
    )
    assert row(found, "", "docroot").value == json.dumps(str(tmp_path / "www"))
    assert row(found, "mail", "host") == ShownSetting("mail", "host", "", "default")
    assert [each for each in found if each.key == "path" and not each.section] == []


def test_no_secret_is_shown(tmp_path: Path) -> None:
    found = shown_settings(validate(secretive(tmp_path), tmp_path / "appliance.toml"))
    assert CANARY not in repr(found)
    assert (
        row(found, "", "database").value == '"postgresql://appliance:…@db.example/blog?sslmode=require&sslpassword=…"'
    )
    assert row(found, "caches.varnish", "url").value == '"http://user:…@cache.example/"'
    assert row(found, "caches.varnish", "headers").value == '{"X-Key": "…"}'
    assert row(found, "webhooks.chat", "url").value == '"https://hooks.example/…"'
    assert row(found, "sites.blog", "settings").value == '{"map_token": "…", "tagline": "By the sea"}'


def damaged(raw: dict[str, Any], *path: str | int) -> Any:
    """Settings with one value of another type, or that nobody understands, in which the secret still stands."""
    changed = json.loads(json.dumps(raw))
    place = changed
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = [CANARY] if isinstance(place[path[-1]], str) else CANARY
    return changed


@pytest.mark.parametrize(
    "path",
    [("database",), ("caches",), ("caches", 0), ("caches", 0, "url"), ("caches", 0, "headers"), ("webhooks",),
     ("caches", 0, "headers", "X-Key"), ("webhooks", 0), ("webhooks", 0, "url"), ("webhooks", 0, "events")],
    ids=str,
)  # fmt: skip
def test_no_secret_stands_in_a_sentence_about_a_fault(tmp_path: Path, path: tuple[str | int, ...]) -> None:
    file = tmp_path / "appliance.toml"
    used = load(write(tmp_path))
    file.write_text(to_toml(damaged(secretive(tmp_path), *path)), "utf-8")
    _, faults = settings_report.report(used)
    assert faults
    assert CANARY not in " ".join(faults)


def test_sentences_without_secrets_stay_whole() -> None:
    for sentence in ("docroot: “www” is relative; write the absolute path, beginning with /",
                     'queue.workers: must be a whole number, without quotes, not "two"'):  # fmt: skip
        assert hide_values(sentence) == sentence
    assert hide_values(f"database: “mysql://u:{CANARY}@h/d” is not a database; name a file") == (
        "database: … is not a database; name a file"
    )
    assert hide_values(f"webhooks.chat.url: “ftp://{CANARY}” “” is not it") == "webhooks.chat.url: … is not it"


def test_what_stands_in_the_file_now_and_waits_for_a_restart(tmp_path: Path) -> None:
    used = load(write(tmp_path, queue={"workers": 2}, admin={"idle_minutes": 30, "listen": "unix:a.sock"}))
    file = load(write(tmp_path, queue={"workers": 3}, admin={"idle_minutes": 5, "listen": "unix:b.sock"},
                      caches=[{"name": "varnish", "url": "http://cache.example/"}]))  # fmt: skip
    found = shown_settings(used, file)
    assert row(found, "queue", "workers") == ShownSetting("queue", "workers", "2", "file", "3")
    assert row(found, "queue", "batch").after_restart is None
    assert row(found, "admin", "idle_minutes") == ShownSetting("admin", "idle_minutes", "5", "file"), "used at once"
    assert row(found, "admin", "listen").after_restart == '"unix:b.sock"'
    assert row(found, "caches.varnish", "url") == ShownSetting(
        "caches.varnish", "url", "", "file", '"http://cache.example/"'
    )
    gone = row(shown_settings(file, used), "caches.varnish", "url")
    assert gone.after_restart == "nothing"


def test_a_daemon_writes_down_what_is_wrong_now(
    database: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = load(write(tmp_path))
    daemon = RegisteredProcess("supervisor", "here", pid=1)
    daemon.register()
    watch = SettingsWatch(used, daemon.name)
    watch.run_due()
    assert settings_report.read() == [], "not while it is starting"

    later = clock.monotonic()

    def look() -> settings_report.HostSettings:
        nonlocal later
        later += 60
        monkeypatch.setattr(clock, "monotonic", lambda: later)
        watch.run_due()
        (found,) = settings_report.read()
        return found

    first = look()
    assert (first.process, first.host, first.file, first.faults) == ("here:1", "here", str(used.path), ())
    assert first.settings == tuple(shown_settings(used))
    write(tmp_path, queue={"workers": 0}, sites=[{**SITE, "theme": "none"}])
    assert [fault.partition(":")[0] for fault in look().faults] == ["queue.workers"]
    write(tmp_path, sites=[{**SITE, "theme": "none"}])
    assert ["cannot be read" in fault for fault in look().faults] == [True]
    used.path.unlink()
    assert look().faults == ("cannot be read: No such file or directory; correct that or name another file",)
    write(tmp_path)
    assert look().faults == ()

    monkeypatch.setattr(settings_report, "report", lambda _used: 1 / 0)
    assert look().faults == (), "a check that fails ends no daemon"
    daemon.deregister()
    assert settings_report.read() == []


def test_every_key_that_is_shown_is_described(tmp_path: Path) -> None:
    raw = secretive(tmp_path)
    raw["sites"][0] |= {"name": "comments", "sources": [{"name": "url", "folder": "/srv/posts"}]}
    raw["publishing_hosts"] = ["pub1.example.org", {"name": "here"}]
    found = shown_settings(validate(raw, tmp_path / "appliance.toml"))
    assert [(each.section, each.key) for each in found if not describe_setting(each.section, each.key)] == []
    assert describe_setting("sites.comments", "url").startswith("The public address of the site")
    assert describe_setting("queue", "of_another_release") == describe_setting("gone.far", "away") == ""
