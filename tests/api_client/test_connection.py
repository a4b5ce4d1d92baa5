"""What keeps a command from being carried out elsewhere, and that it is carried out once all the same."""

from __future__ import annotations

import http.client
import http.server
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from appliance.api_client import connection
from appliance.api_client.address import parse_address, read_token
from appliance.content.models import Entry
from appliance.db import execute
from appliance.demo.frontend import free_port
from appliance.errors import ApiError
from tests.api_client.conftest import Installation, Make, Told

TOKEN: Final = "app_" + "x" * 40


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("https://admin.example.org", "https://admin.example.org/api/v1"),
        ("https://admin.example.org:8443/api/v1/", "https://admin.example.org:8443/api/v1"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000/api/v1"),
        ("http://[::1]:8000/", "http://[::1]:8000/api/v1"),
    ],
)
def test_an_address_is_that_of_the_admin_application(text: str, found: str) -> None:
    assert parse_address(text) == found


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("http://admin.example.org/", "everybody on the way"),
        ("http://127.0.0.1.example.org/", "everybody on the way"),
        ("https://ada:secret@admin.example.org/", "leave out"),
        ("https://admin.example.org/?token=x", "not an address"),
        ("https://admin.example.org/other", "not an address"),
        ("ftp://admin.example.org/", "not an address"),
        ("admin.example.org", "not an address"),
        ("https://[::1", "not an address"),
    ],
)
def test_no_token_travels_unencrypted_or_elsewhere(text: str, why: str) -> None:
    with pytest.raises(ApiError, match=why):
        parse_address(text)


def test_a_token_comes_from_the_environment_or_from_a_file_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read_token({"APPLIANCE_TOKEN": f" {TOKEN}\n"}) == TOKEN
    with pytest.raises(ApiError, match="There is no token"):
        read_token({})
    file = tmp_path / ".config/appliance/token"
    file.parent.mkdir(parents=True)
    file.write_text(f"{TOKEN}\n")
    for mode in (0o640, 0o604, 0o620):
        file.chmod(mode)
        with pytest.raises(ApiError, match="others may read it"):
            read_token({})
    file.chmod(0o600)
    assert read_token({}) == TOKEN
    file.write_text("a password")
    with pytest.raises(ApiError) as caught:
        read_token({})
    assert "a password" not in str(caught.value)
    os.chown(file, 12345, -1)
    with pytest.raises(ApiError, match="no file of yours"):
        read_token({})


def test_what_cannot_be_meant_is_refused(run: Callable[..., Told]) -> None:
    both = run("content.list --api https://admin.example.org/ --inventory hosts.yml")
    assert (both.status, "give one of them" in both.error) == (3, True)
    assert run("content.list --api").status == 3
    for line in ("work", "site.init .", "drain", "targets.check", "content.import folder"):
        told = run(f"--api https://admin.example.org/ {line}")
        assert (told.status, "run it on a publishing host" in told.error) == (3, True), line
    # What a command line says is for that line alone, and not for programs that it starts.
    assert "APPLIANCE_API" not in os.environ
    assert "run it on a publishing host" not in run("work --help").error
    chained = run("content.list work", environ={"APPLIANCE_API": "https://admin.example.org/"})
    assert (chained.status, chained.error[:5]) == (3, "work ")


def test_an_address_that_nobody_answers_at_is_a_sentence(run: Callable[..., Told]) -> None:
    told = run("content.list", (), {"APPLIANCE_API": f"http://127.0.0.1:{free_port()}/", "APPLIANCE_TOKEN": TOKEN})
    assert (told.status, "cannot be reached" in told.error, told.out) == (3, True, "")
    assert TOKEN not in told.text


def test_tokens_that_have_ended_or_have_limits(make: Make) -> None:
    one = make("blog", "news")
    unknown = one.remote("content.list --site=blog", token=TOKEN)
    assert (unknown.status, "the token is unknown, has ended or was revoked" in unknown.error) == (3, True)
    ended = one.make_token("ben", blog="editor")
    with one.opened():
        execute("UPDATE token SET expires_at = 1 WHERE user_id = (SELECT id FROM account WHERE name = 'ben')")
    assert one.remote("content.list --site=blog", token=ended).error == unknown.error
    reader = one.make_token("cem", scopes=["read"], blog="editor")
    assert one.remote("content.list", token=reader).out == "no entries\n"
    refused = one.remote("content.add Hello", token=reader)
    assert (refused.status, "do not allow this" in refused.error) == (1, True)
    elsewhere = one.remote("content.list --site=news", token=reader)
    assert (elsewhere.status, elsewhere.error) == (3, "there is no site “news”; the sites are blog\n")
    several = one.remote("content.list")
    assert (several.status, several.error) == (1, one.local("content.list").error)


def test_of_two_editors_the_second_is_told_of_the_first(make: Make) -> None:
    one = make()
    one.remote("content.add Hello")
    version = json.loads(one.remote("content.show 1 --json").out)["version"]
    ben = one.make_token("ben", blog="editor")
    assert one.remote("content.edit 1 --text=First --expect-version", version, token=ben).status == 0
    second = one.remote("content.edit 1 --text=Second --expect-version", version)
    local = one.local("content.edit 1 --later --text=Second --expect-version", version)
    assert "was changed by ben" in second.error
    assert (second.status, second.error) == (local.status, local.error)
    assert json.loads(one.remote("content.show 1 --json").out)["text"] == "First"


class _Breaking(http.server.BaseHTTPRequestHandler):
    """Passes requests on, and breaks off before the answers that it is told to lose."""

    upstream = 0
    keys: list[str | None] = []
    losses = 0

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        client = http.client.HTTPConnection("127.0.0.1", self.upstream, timeout=30)
        client.request(self.command, self.path, body, {**dict(self.headers), "Host": f"127.0.0.1:{self.upstream}"})
        answer = client.getresponse()
        content = answer.read()
        if self.command in ("POST", "PATCH"):
            type(self).keys.append(self.headers["Idempotency-Key"])
            if self.losses > 0:
                type(self).losses -= 1
                self.close_connection = True
                return
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_DELETE = _pass_on  # noqa: N815

    def log_message(self, *_words: Any) -> None:
        pass


@contextmanager
def breaking(one: Installation, losses: int) -> Iterator[tuple[Installation, type[_Breaking]]]:
    handler = type("Breaking", (_Breaking,), {"upstream": one.port, "keys": [], "losses": losses})
    port = free_port()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield Installation(one.folder, port, one.run, one.token), handler
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_what_has_to_be_sent_again_is_done_once(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_PAUSES", (0.0, 0.0))
    one = make()
    with breaking(one, 2) as (through, handler):
        told = through.remote("content.add Hello")
        assert (told.out, told.status) == ("entry 1 “Hello” (hello) added, draft\n", 0)
        assert len(handler.keys) == 3
        assert len(set(handler.keys)) == 1 and handler.keys[0]
        handler.losses = 1
        assert through.remote("content.edit 1 --text=Changed").out.endswith("edited, draft\n")
        assert len(set(handler.keys)) == 2
    with one.opened():
        assert Entry.select().count() == 1
    assert [row.action for row in one.audit() if row.via == "api"] == ["entry.add", "entry.edit"]


def test_a_server_that_stays_away_leaves_the_result_unknown(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_PAUSES", (0.0, 0.0))
    one = make()
    with breaking(one, 99) as (through, handler):
        told = through.remote("content.add Hello")
    assert (told.status, "the result is unknown" in told.error) == (2, True)
    assert len(handler.keys) == 3


def test_a_redirect_is_not_followed(run: Callable[..., Told]) -> None:
    asked: list[str] = []

    class Elsewhere(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(302)
            self.send_header("Location", "https://elsewhere.example/api/v1/sites")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_words: Any) -> None:
            pass

    port = free_port()
    with http.server.HTTPServer(("127.0.0.1", port), Elsewhere) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        told = run("content.list", (), {"APPLIANCE_API": f"http://127.0.0.1:{port}/", "APPLIANCE_TOKEN": TOKEN})
        server.shutdown()
        thread.join()
    assert (told.status, "sends requests on to elsewhere.example" in told.error) == (3, True)
    assert asked == ["/api/v1/sites"]
