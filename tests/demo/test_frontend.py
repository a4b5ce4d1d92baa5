"""The front end that tests and the demo use serves its docroot, and ends with all it started."""

from __future__ import annotations

import contextlib
import http.client
import os
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from appliance.demo import frontend
from appliance.demo.frontend import FrontEnd, descendants
from appliance.errors import DeliveryError
from tests.leftovers import none_left


def fetch(url: str) -> tuple[int, str, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


def test_it_serves_what_its_docroot_has_and_nothing_hidden(tmp_path: Path) -> None:
    with none_left(), FrontEnd(tmp_path / "a front", tmp_path / "key") as front:
        docroot = front.docroot
        (docroot / "index.html").write_text("<p>grüß dich")
        (docroot / "feed.atom").write_text("<feed/>")
        (docroot / "404.html").write_text("not here")
        (docroot / "blog").mkdir()
        (docroot / "blog" / "index.html").write_text("blog")
        (docroot / ".~tmp~").mkdir()
        (docroot / ".~tmp~" / "index.html").write_text("half of it")
        (docroot / "link").symlink_to("/etc/passwd")
        assert fetch(front.url) == (200, "text/html; charset=utf-8", "<p>grüß dich")
        assert fetch(front.url + "feed.atom")[1] == "application/atom+xml; charset=utf-8"
        assert fetch(front.url + "blog") == (200, "text/html; charset=utf-8", "blog")
        assert fetch(front.url + "nothing") == (404, "text/html; charset=utf-8", "not here")
        assert fetch(front.url + ".~tmp~/index.html")[0] == 404
        assert fetch(front.url + "link")[0] in (403, 404)
        assert fetch(front.url + "404.html")[0] == 404
        assert set(front.pids) < set(descendants(os.getpid()))


def test_it_answers_to_its_own_names_alone_and_lists_no_folder(tmp_path: Path) -> None:
    with none_left(), FrontEnd(tmp_path / "front", tmp_path / "key") as front:
        (front.docroot / "index.html").write_text("page")
        (front.docroot / "files").mkdir()
        (front.docroot / "files" / "index.htm").write_text("uploaded")
        (front.docroot / "sitemap.xml").write_text("generated")
        (front.docroot / "sitemap.xml.gz").write_text("uploaded")

        def ask(path: str, host: str, method: str = "GET") -> tuple[int, str | None]:
            connection = http.client.HTTPConnection(frontend.HOST, front.http_port, timeout=5)
            with contextlib.closing(connection):
                connection.request(method, path, headers={"Host": host, "Accept-Encoding": "gzip"})
                answer = connection.getresponse()
                answer.read()
                return answer.status, answer.headers["X-Content-Type-Options"]

        for name in (f"127.0.0.1:{front.http_port}", "localhost", "LOCALHOST:8080"):
            assert ask("/", name) == (200, "nosniff")
        for name in ("evil.example", "127.0.0.1.evil.example", ""):
            assert ask("/", name)[0] in (400, 421)
        assert ask("/files/", "localhost")[0] == 404
        assert ask("/", "localhost", "POST")[0] == 405
        assert fetch(front.url + "sitemap.xml")[2] == "generated"


def test_a_folder_used_before_keeps_its_keys(tmp_path: Path) -> None:
    keys = []
    for _ in range(2):
        front = FrontEnd(tmp_path / "front", tmp_path / "key")
        front.start(http=False)
        front.stop()
        keys.append((front.known_host.split()[1:], (tmp_path / "key").read_bytes()))
    assert keys[0] == keys[1]


def test_a_server_that_does_not_start_is_said_and_nothing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frontend, "nginx_config", lambda *given: "nonsense;")
    with (
        none_left(),
        pytest.raises(DeliveryError, match="nginx did not start"),
        FrontEnd(tmp_path / "front", tmp_path / "key"),
    ):
        pass
