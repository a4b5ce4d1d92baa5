"""Caches are purged of a changed page once every target shows it: a real varnish, and one that records requests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from appliance import caches, db
from appliance.config import CacheSettings, Config, QueueSettings, SiteSettings, validate
from appliance.delivery import cursors, journal
from appliance.delivery.positions import Position
from appliance.delivery.targets import front_ends
from appliance.demo.frontend import free_port
from appliance.errors import PurgeError, PurgeRefused
from appliance.queue import store
from appliance.queue.handlers import registry
from appliance.queue.worker import Worker

VARNISH = shutil.which("varnishd", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")


class RecordingServer:
    """A server that records its requests and answers with the given statuses."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.connections: set[Any] = set()
        self.answers: list[int] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _note(self) -> None:
                server.requests.append((self.command, self.headers["Host"], self.path))
                server.headers.append(dict(self.headers))
                server.connections.add(self.client_address)
                self.send_response(server.answers.pop(0) if server.answers else 200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            do_PURGE = do_BAN = _note  # noqa: N815

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"


@pytest.fixture
def serve() -> Iterator[Callable[[], RecordingServer]]:
    with ExitStack() as stack:

        def start() -> RecordingServer:
            server = RecordingServer()
            thread = threading.Thread(target=server.server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.server.server_close)
            stack.callback(server.server.shutdown)
            return server

        yield start


Install = Callable[..., Config]


@pytest.fixture
def install(database: Config, tmp_path: Path) -> Install:
    def make(*caches: dict[str, Any], fronts: int = 0) -> Config:
        raw = database.model_dump(exclude={"path"}) | {
            "host": "here",
            "caches": list(caches),
            "targets": [
                {"name": f"front{n}", "address": str(tmp_path / f"front{n}"), "other_path": True} for n in range(fronts)
            ],
        }
        return validate(raw, database.path)

    return make


class NoWait:
    def wait(self, timeout: float) -> bool:
        return False


def work(config: Config) -> int:
    kinds = [kind for kind in registry.kinds(config) if kind.name == caches.PURGE]
    worker, done = Worker("here:1", kinds, QueueSettings(), NoWait()), 0
    while claims := store.claim(worker.name, [caches.PURGE], 10, 30.0):
        worker.run_batch(claims)
        done += len(claims)
    return done


def publish(config: Config, *paths: str, version: int = 1) -> int:
    with db.write():
        journal.append([journal.Put(path, version, "0" * 64, 1) for path in paths], "here")
        if not config.targets:
            caches.enqueue_purges(config)
    return journal.newest("here")


def confirm(config: Config, number: int, publication: int) -> None:
    with db.write():
        cursors.confirm(front_ends(config)[number], "here", publication)
        caches.enqueue_purges(config)


def jobs() -> list[tuple[Any, ...]]:
    return list(db.execute("SELECT key, state, triggers FROM job ORDER BY id").fetchall())


@pytest.mark.conformance("B9")
def test_a_cache_is_purged_once_every_target_shows_the_change(
    install: Install, serve: Callable[[], RecordingServer]
) -> None:
    server = serve()
    config = install({"name": "edge", "url": server.url, "headers": {"X-Token": "abc"}}, fronts=2)
    last = publish(config, "a/index.html", "b.css")
    assert jobs() == []
    confirm(config, 0, last)
    assert jobs() == []
    confirm(config, 1, last)
    assert jobs() == [("edge", "pending", 1)]
    assert work(config) == 1
    assert server.requests == [("PURGE", "blog.example", path) for path in ("/a/index.html", "/a/", "/b.css")]
    assert server.headers[0]["X-Token"] == "abc"
    assert len(server.connections) == 1
    confirm(config, 1, last)  # nothing new
    assert [state for _, state, _ in jobs()] == ["done"]


def test_without_targets_a_publication_purges_and_requests_coalesce(
    install: Install, serve: Callable[[], RecordingServer]
) -> None:
    server = serve()
    config = install({"name": "edge", "url": server.url})
    publish(config, "a.html")
    publish(config, "b.html")
    publish(config, "a.html", version=2)
    assert jobs() == [("edge", "pending", 3)]
    work(config)
    assert [path for *_, path in server.requests] == ["/a.html", "/b.html"]


def test_each_cache_is_purged_by_itself_and_one_that_was_down_catches_up(
    install: Install, serve: Callable[[], RecordingServer]
) -> None:
    up, down = serve(), serve()
    config = install({"name": "up", "url": up.url}, {"name": "down", "url": down.url, "method": "BAN"})
    down.answers = [200, 503]
    publish(config, "a.html", "b.html", "c.html")
    work(config)
    assert [path for *_, path in up.requests] == ["/a.html", "/b.html", "/c.html"]
    assert jobs()[1][:2] in [("down", "pending"), ("up", "done")]
    publish(config, "d.html")
    db.execute("UPDATE job SET run_at = 0")
    down.requests.clear()
    work(config)
    assert down.requests == [("BAN", "blog.example", f"/{name}.html") for name in "abcd"]
    assert {state for _, state, _ in jobs()} == {"done"}


def test_many_paths_are_purged_in_batches(
    install: Install, serve: Callable[[], RecordingServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caches, "BATCH_SIZE", 4)
    server = serve()
    config = install({"name": "edge", "url": server.url})
    publish(config, *(f"{n}.html" for n in range(10)))
    assert work(config) == 3
    assert [path for *_, path in server.requests] == [f"/{n}.html" for n in range(10)]
    assert {state for _, state, _ in jobs()} == {"done"}


def test_an_interrupted_purge_runs_again(
    install: Install, serve: Callable[[], RecordingServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve()
    config = install({"name": "edge", "url": server.url})
    publish(config, "a.html")
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(caches, "_move_cursor", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        work(config)
    store.rescue(5, worker="here:1")
    work(config)
    assert [path for *_, path in server.requests] == ["/a.html", "/a.html"]


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, None), (412, None), (405, PurgeRefused), (403, PurgeRefused), (429, PurgeError), (502, PurgeError)],
)
def test_each_response_status_has_its_outcome(
    serve: Callable[[], RecordingServer], status: int, error: type[PurgeError] | None
) -> None:
    server = serve()
    server.answers = [status]
    cache = CacheSettings(name="edge", url=server.url)
    site = SiteSettings(name="blog", title="B", url="https://blog.example/")
    if error is None:
        caches.purge_paths(cache, [site], ["a.html"])
    else:
        with pytest.raises(PurgeError, match=str(status)) as caught:
            caches.purge_paths(cache, [site], ["a.html"])
        assert type(caught.value) is error


def test_a_cache_that_does_not_answer_is_tried_again() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        cache = CacheSettings(name="edge", url=f"http://127.0.0.1:{probe.getsockname()[1]}/", timeout=0.2)
        site = SiteSettings(name="blog", title="B", url="https://blog.example/")
        with pytest.raises(PurgeError) as caught:
            caches.purge_paths(cache, [site], ["a.html"])
        assert type(caught.value) is PurgeError
        caches.purge_paths(cache, [site], [])  # nothing to tell, nobody to reach


def test_addresses_that_readers_request() -> None:
    news = SiteSettings(name="news", title="N", url="https://news.example:8443/", folder="news")
    blog = SiteSettings(name="blog", title="B", url="https://www.example/blog/")
    both = [news, blog]
    assert list(caches.addresses(both, "news/a/index.html")) == [
        ("news.example:8443", "/a/index.html"), ("news.example:8443", "/a/"),
    ]  # fmt: skip
    assert list(caches.addresses(both, "index.html")) == [
        ("www.example", "/blog/index.html"),
        ("www.example", "/blog/"),
    ]
    assert list(caches.addresses(both, "newsletter/ä b?.html")) == [
        ("www.example", "/blog/newsletter/%C3%A4%20b%3F.html")
    ]
    assert list(caches.addresses(both, "notindex.html")) == [("www.example", "/blog/notindex.html")]


def test_pruning_keeps_what_a_target_or_cache_has_yet_to_read(
    install: Install, serve: Callable[[], RecordingServer]
) -> None:
    server = serve()
    config = install({"name": "edge", "url": server.url}, fronts=2)
    first = publish(config, "a.html", "b.html")
    last = publish(config, "a.html", version=2)
    rows = lambda: [i for (i,) in db.execute("SELECT id FROM publication ORDER BY id").fetchall()]  # noqa: E731
    confirm(config, 0, last)
    confirm(config, 1, first - 2)
    assert journal.prune(caches.confirmed_by_all(config)) == 0
    confirm(config, 1, last)
    assert journal.prune(caches.confirmed_by_all(config)) == 0  # the cache has not
    work(config)
    assert journal.prune(caches.confirmed_by_all(config)) == 1
    assert rows() == [first, last]
    assert journal.prune(caches.confirmed_by_all(config)) == 0


def test_what_reached_all_ahead_of_a_backlog_is_purged_at_once_and_the_rest_after_it(
    install: Install, serve: Callable[[], RecordingServer]
) -> None:
    server = serve()
    config = install({"name": "edge", "url": server.url}, fronts=2)
    backlog = publish(config, "a.html", "b.html", "c.html")
    ahead = publish(config, "new.html")
    confirm(config, 0, ahead)
    target, origin = front_ends(config)[1], "here"
    begun = Position(0, backlog, ahead)
    with db.write():
        cursors.move(target, origin, Position(), begun)
        caches.enqueue_purges(config)
    work(config)
    assert [path for _, _, path in server.requests] == ["/new.html"]
    with db.write():
        cursors.move(target, origin, begun, begun.moved(backlog))
        caches.enqueue_purges(config)
    work(config)
    assert sorted(path for _, _, path in server.requests) == ["/a.html", "/b.html", "/c.html", "/new.html"]


_VCL = """vcl 4.1;
backend default {{ .host = "127.0.0.1"; .port = "{port}"; }}
acl purgers {{ "127.0.0.1"; }}
sub vcl_recv {{
    if (req.method == "PURGE") {{
        if (!client.ip ~ purgers) {{ return (synth(405)); }}
        return (purge);
    }}
    if (req.method == "BAN") {{
        ban("req.http.host == " + req.http.host + " && req.url == " + req.url);
        return (synth(200));
    }}
}}
sub vcl_backend_response {{ set beresp.ttl = 1h; }}
"""


@pytest.mark.slow
@pytest.mark.skipif(VARNISH is None, reason="varnish is not installed (Debian: varnish)")
def test_a_real_varnish_serves_the_new_page(install: Install, tmp_path: Path) -> None:
    (tmp_path / "www").mkdir()
    page = tmp_path / "www" / "a.html"
    page.write_text("old")
    later = int(page.stat().st_mtime)

    class Files(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(page.parent))

        def log_message(self, *_arguments: object) -> None:
            pass

    with ExitStack() as stack:
        server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        for undo in (thread.join, server.server_close, server.shutdown):
            stack.callback(undo)
        port = _varnish(stack, tmp_path, server.server_port)

        def read() -> str:
            connection = HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", "/a.html", headers={"Host": "blog.example"})
            text = connection.getresponse().read().decode()
            connection.close()
            return text

        for method in ("PURGE", "BAN"):
            config = install({"name": f"{method}-cache".lower(), "url": f"http://127.0.0.1:{port}/", "method": method})
            page.write_text(f"old {method}")
            caches.purge_paths(config.caches[0], config.sites, ["a.html"])
            assert read() == f"old {method}"
            page.write_text(f"new {method}")
            later += 2
            os.utime(page, (later, later))  # a change within the second is none for a server of files
            assert read() == f"old {method}"  # it is a cache
            publish(config, "a.html")
            assert work(config) == 1
            assert read() == f"new {method}"


def _varnish(stack: ExitStack, folder: Path, backend: int) -> int:
    port = free_port()
    work_folder = Path(stack.enter_context(_short_folder()))
    vcl = work_folder / "cache.vcl"
    vcl.write_text(_VCL.format(port=backend))
    vcl.chmod(0o644)
    process = subprocess.Popen(
        [str(VARNISH), "-F", "-j", "none", "-a", f"127.0.0.1:{port}", "-f", str(vcl), "-n", str(work_folder / "run"),
         "-s", "malloc,8m", "-T", "none", "-p", "vsl_space=1m"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    stack.callback(process.wait)
    stack.callback(process.terminate)
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
        except OSError:
            assert process.poll() is None, "varnish did not start"
            time.sleep(0.05)  # it tells nobody that it is ready but by answering
        else:
            return port
    raise AssertionError("varnish did not answer")


def _short_folder() -> Any:
    import tempfile

    return tempfile.TemporaryDirectory(prefix="varnish-", ignore_cleanup_errors=True)
