"""A site of the default theme with all that takes readers' comments: `work` as a process, and real front ends.

`work` runs intake, web process, workers and courier; each front end has an nginx that passes `/-/` on, and an sshd.
All is on loopback and ended by process id. The database is open in the process of the test.

    with web_stack(folder, database=postgres.fresh()) as stack:
        answer = stack.comment("first", "A comment")
        assert "A comment" in stack.get("/first/").text
"""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import tempfile
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any

from appliance import clock, publishing
from appliance.config import Config, load
from appliance.content import entries
from appliance.content.entries import EntryData
from appliance.content.models import Comment, Entry, Site
from appliance.demo.daemon import Daemon
from appliance.demo.frontend import HOST, FrontEnd, write_known_hosts
from appliance.demo.nginx import Upstream
from appliance.installation import open_installation
from appliance.planning.models import Artifact
from appliance.queue import processes
from tests.leftovers import none_left
from tests.local_site import moment

PATH = "/-/"
SITE = "blog"
#: Limits out of the way of tests that do not test them.
COMMENTS: dict[str, Any] = {
    "moderation": "none",
    "least_seconds": 0.0,
    "rate": 1_000_000,
    "entry_rate": 1_000_000,
    "spam_check": "none",
}
#: The slugs of the entries; “closed” takes no comments.
SLUGS = ("first", "second", "third", "closed")
#: Seconds until whatever a test waits for is there.
PATIENCE = 30.0


@dataclass(frozen=True)
class Answer:
    """An answer over HTTP."""

    status: int
    headers: Message
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8")

    @property
    def location(self) -> str:
        """Where it leads to; empty for nowhere."""
        return str(self.headers["Location"] or "")


@dataclass
class WebStack:
    """A running site. `front` is the number of the front end that is asked."""

    folder: Path
    config: Config
    fronts: list[FrontEnd]
    daemon: Daemon
    #: The Unix socket of the web process.
    web_socket: Path
    #: The loopback address that requests come from, such as 127.0.7.1: limits are those of a network.
    source: str = HOST
    _ids: dict[str, int] = field(default_factory=dict)

    def get(self, path: str, front: int = 0, **headers: str) -> Answer:
        """Fetch a path; `_` in the names of headers stands for `-`."""
        return self.ask("GET", path, front, headers=headers)

    def post(self, path: str, fields: Mapping[str, object], front: int = 0, **headers: str) -> Answer:
        """Send a form."""
        body = urllib.parse.urlencode({name: str(value) for name, value in fields.items()}).encode()
        return self.ask("POST", path, front, body, {"Content_Type": "application/x-www-form-urlencoded", **headers})

    def ask(
        self, method: str, path: str, front: int = 0, body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:  # fmt: skip
        """Send a request through the nginx of a front end."""
        connection = http.client.HTTPConnection(
            HOST, self.fronts[front].http_port, timeout=PATIENCE, source_address=(self.source, 0)
        )
        return ask(connection, method, path, body, headers)

    def ask_web(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """Send a request to the socket of the web process."""
        return ask(UnixConnection(self.web_socket), method, path, body, headers)

    def endpoint(self, action: str = "comments", site: str = SITE) -> str:
        """Return a path of the public application."""
        return f"{PATH}{site}/{action}"

    def entry_id(self, slug: str) -> int:
        """Return the id of an entry."""
        if slug not in self._ids:
            self._ids[slug] = int(Entry.get(Entry.slug == slug).id)
        return self._ids[slug]

    def token(self, slug: str = "first", front: int = 0) -> str:
        """Return the token of a new form."""
        return str(
            json.loads(self.get(self.endpoint(f"comments/form?entry={self.entry_id(slug)}"), front).body)["token"]
        )

    def comment(self, slug: str = "first", text: str = "A comment.", front: int = 0, **fields: object) -> Answer:
        """Fetch a form and post a comment; `headers` are those of the post."""
        headers: Any = fields.pop("headers", {})
        sent = {"name": "A reader", "token": fields.pop("token", None) or self.token(slug, front), **fields}
        return self.post(self.endpoint(), {"entry": self.entry_id(slug), "text": text, **sent}, front, **headers)

    def page(self, slug: str, front: int = 0) -> str:
        """Return the page of an entry as a reader sees it."""
        return self.get(self.address(slug), front).text

    def address(self, slug: str) -> str:
        """Return the path of the page of an entry."""
        artifact = Artifact.get(
            Artifact.subject == self.entry_id(slug), Artifact.type == "entry", Artifact.is_permalink
        )
        return "/" + str(artifact.path).removesuffix("index.html")

    def comments(self) -> list[Comment]:
        """Return all comments by id."""
        return list(Comment.select().order_by(Comment.id))

    def await_that(self, condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
        """Look until it is so, and return what was found."""
        end = clock.monotonic() + seconds
        while not (found := condition()):
            assert clock.monotonic() < end, f"it never came to be; {self.log()[-3000:]}"
            clock.sleep(0.005)
        return found

    def log(self) -> str:
        """Return what `work` has written."""
        return self.daemon.log.read_text("utf-8", "replace")

    def pids(self, role: str) -> list[int]:
        """Return the processes of `work` with this role, such as `worker`, `courier` or `intake`."""
        return [row.pid for row in processes.list_processes() if row.role == role]


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        """Connect."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def ask(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:  # fmt: skip
    """Send one request on a connection, and close that."""
    with closing(connection):
        connection.request(method, path, body, {k.replace("_", "-"): v for k, v in (headers or {}).items()})
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())


def to_toml(settings: Mapping[str, Any], above: str = "") -> str:
    """Return settings as TOML: values first, then tables and arrays of tables."""
    lines, tables = [], []
    for key, value in settings.items():
        name = f"{above}{key}"
        if isinstance(value, Mapping):
            tables.append(f"\n[{name}]\n{to_toml(value, f'{name}.')}")
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            tables += [f"\n[[{name}]]\n{to_toml(one, f'{name}.')}" for one in value]
        elif value is not None:
            lines.append(
                f"{key} = {json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)}\n"
            )
    return "".join([*lines, *tables])


@contextmanager
def web_stack(
    folder: Path, database: str = "", *, fronts: int = 2, comments: Mapping[str, Any] | None = None,
    sites: Sequence[Mapping[str, Any]] = ({},), slugs: Sequence[str] = SLUGS, **sections: Any,
) -> Iterator[WebStack]:  # fmt: skip
    """Publish a site to front ends and run `work` beside it until the block ends.

    Args:
        folder: an empty folder for all of it.
        database: the URL of an empty PostgreSQL database; SQLite without it.
        fronts: the number of front ends; they are called www1 and so on.
        comments: keys of `[sites.comments]` besides COMMENTS.
        sites: further keys of each site.
        slugs: the entries of the first site.
        sections: further sections of the settings, such as web={"workers": 1}.
    """
    with ExitStack() as stack:
        stack.enter_context(none_left())
        short = Path(tempfile.mkdtemp(prefix="web-"))  # the path of a socket is limited
        stack.callback(shutil.rmtree, short, ignore_errors=True)
        upstream = Upstream(PATH, f"unix:{short}/web.sock")
        made = [
            FrontEnd(folder / f"www{n + 1}", folder / "key", f"www{n + 1}", upstream=upstream) for n in range(fronts)
        ]
        for front in made:
            stack.enter_context(front)
        write_known_hosts(folder / "known_hosts", made)
        file = folder / "appliance.toml"
        file.write_text(_settings(folder, short, database, made, sites, comments or {}, sections), "utf-8")
        config = load(file)
        stack.enter_context(open_installation(config))
        _fill(slugs)
        publishing.publish(config)
        lock = stack.enter_context((folder / "lock").open("w"))
        (short / "ssh").mkdir()
        daemon = stack.enter_context(Daemon(config, short / "ssh", lock.fileno()))
        running = WebStack(folder, config, made, daemon, short / "web.sock")
        running.await_that(lambda: _is_ready(running), 3 * PATIENCE)
        yield running


def _settings(
    folder: Path, short: Path, database: str, fronts: Sequence[FrontEnd], sites: Sequence[Mapping[str, Any]],
    comments: Mapping[str, Any], sections: Mapping[str, Any],
) -> str:  # fmt: skip
    plain = {"name": SITE, "title": "A Blog", "url": "https://blog.example/", "theme": "default"}
    targets = [
        front.settings().model_dump(include={"name", "address", "access", "port", "other_path"}) for front in fronts
    ]
    own: dict[str, Any] = {
        "web": {"path": PATH, "listen": f"unix:{short}/web.sock", "intake": short / "intake.sock"},
        "delivery": {"ssh_key": folder / "key", "known_hosts": folder / "known_hosts", "temp_path": short / "ssh"},
        "queue": {"workers": 2},
    }
    merged = {name: {**own.get(name, {}), **sections.get(name, {})} for name in {**own, **sections}}
    return to_toml(
        {
            "docroot": folder / "www",
            "host": "publisher",
            "database": database or None,
            **merged,
            "targets": targets,
            "sites": [
                {**plain, **site, "comments": {**COMMENTS, **comments, **site.get("comments", {})}} for site in sites
            ],
        }
    )


def _fill(slugs: Sequence[str]) -> None:
    site = Site.get(Site.name == SITE)
    for number, slug in enumerate(slugs):
        data = EntryData(
            title=f"The {slug} post",
            slug=slug,
            text=f"Words about the {slug} of many *harbours*.",
            published_at=moment(f"2026-11-{number % 20 + 1:02}"),
            allow_comments=slug != "closed",
        )
        entries.save(site, data)


def _is_ready(stack: WebStack) -> bool:
    """Whether the web process answers, and every front end has every page."""
    try:
        ready = stack.ask_web("GET", "/readyz").status == 200
    except OSError:
        assert stack.daemon.process.poll() is None, stack.log()[-3000:]
        return False
    wanted = [path for path in (stack.config.docroot).rglob("*.html") if not path.name.startswith(".")]
    roots = [front.docroot for front in stack.fronts]
    there = len(wanted) >= Entry.select().count()
    return (
        ready
        and there
        and all((root / path.relative_to(stack.config.docroot)).exists() for root in roots for path in wanted)
    )
