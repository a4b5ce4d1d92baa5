"""The intake of a running daemon: what it answers is committed, whatever is sent to it and whatever dies."""

from __future__ import annotations

import os
import random
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from appliance import clock, db
from appliance.config import Config
from appliance.content.models import Comment, Entry
from appliance.errors import IntakeUnavailable
from appliance.intake.client import IntakeClient
from appliance.intake.messages import (
    MESSAGE_LIMIT,
    CommentAnswer,
    CommentRequest,
    DeleteAnswer,
    DeleteRequest,
    Draft,
    ErrorAnswer,
    FormAnswer,
    FormRequest,
    PreviewAnswer,
    PreviewRequest,
    ReadyRequest,
    Sender,
    SiteAnswer,
    SiteRequest,
    StatusRequest,
)
from appliance.queue import processes, store
from tests.local_site import LocalSite, archive, local_site
from tests.test_running import await_that, daemon

pytestmark = pytest.mark.slow

PAGE = "{{ entry.title }}: {% for c in entry.comments %}[{{ c.author }}: {{ c.html }}]{% endfor %}\n"
RULES = {"moderation": "none", "least_seconds": 0.0, "rate": 100_000, "entry_rate": 100_000, "waiting": 100_000}
SENDER = Sender(address="192.0.2.7")


@pytest.fixture
def site(database: Config, tmp_path: Path) -> Iterator[LocalSite]:
    """A published entry, on each database."""
    with blog(tmp_path, database=database.database) as made:
        yield made


@contextmanager
def blog(
    folder: Path, rules: dict[str, object] | None = None, site: dict[str, object] | None = None, **settings: object
) -> Iterator[LocalSite]:
    files = {"entry.html": PAGE}
    sites = [{"comments": {**RULES, **(rules or {})}, **(site or {})}]
    with local_site(
        folder, archive("entry", "{slug}/index.html"), files, sites=sites, web={"path": "/-/"}, **settings
    ) as made:
        made.save("Tides", status="published", allow_comments=True)
        made.run()
        yield made


@contextmanager
def answering(config: Config) -> Iterator[int]:
    """A daemon of one worker whose intake answers; yields its process id."""
    with daemon(config, workers=1) as pid:
        await_intake(config)
        yield pid


def await_intake(config: Config) -> None:
    client = IntakeClient(config.intake_socket)

    def ready() -> bool:
        with suppress(IntakeUnavailable):
            return client.ask(ReadyRequest()).kind == "ready"
        return False

    await_that(ready)
    client.close()


@pytest.fixture
def intake(site: LocalSite) -> Iterator[IntakeClient]:
    with answering(site.config):
        client = IntakeClient(site.config.intake_socket)
        yield client
        client.close()


def entry() -> int:
    return int(Entry.get(Entry.slug == "tides").id)


def form(client: IntakeClient) -> str:
    answer = client.ask(FormRequest(site="blog", entry=entry()))
    assert isinstance(answer, FormAnswer)
    return answer.token


def post(client: IntakeClient, text: str, token: str, **more: object) -> CommentAnswer:
    answer = client.ask(request(text, token, entry(), **more))
    assert isinstance(answer, CommentAnswer), answer
    return answer


def request(text: str, token: str, number: int, **more: object) -> CommentRequest:
    draft = Draft(entry=number, name="Ida", email="ida@example.org", text=text)
    return CommentRequest(site="blog", draft=draft, sender=SENDER, token=token, **more)  # type: ignore[arg-type]


def test_an_accepted_comment_is_saved_and_on_the_page(site: LocalSite, intake: IntakeClient) -> None:
    token = form(intake)
    answer = post(intake, "Hello *there*", token, wait=5.0)
    assert (answer.outcome, answer.visible, answer.problems) == ("accepted", True, ())
    comment = Comment.get()
    assert answer.page == f"/tides/#comment-{comment.id}"
    assert "[Ida: <p>Hello <em>there</em></p>" in site.text("tides/index.html")
    again = post(intake, "Hello *there*", token)
    assert (again.outcome, again.page, Comment.select().count()) == ("accepted", answer.page, 1)
    status = intake.ask(StatusRequest(site="blog", receipt=answer.receipt))
    assert isinstance(status, CommentAnswer)
    assert (status.outcome, status.visible, status.page) == ("accepted", True, answer.page)


def test_its_writer_deletes_it(site: LocalSite, intake: IntakeClient) -> None:
    receipt = post(intake, "Wrong", form(intake), wait=5.0).receipt
    asked = intake.ask(DeleteRequest(site="blog", receipt=receipt))
    assert isinstance(asked, DeleteAnswer)
    assert (asked.outcome, asked.html, Comment.select().count()) == ("possible", "<p>Wrong</p>", 1)
    for _ in range(2):
        deleted = intake.ask(DeleteRequest(site="blog", receipt=receipt, confirmed=True))
        assert isinstance(deleted, DeleteAnswer)
        assert (deleted.outcome, Comment.select().count()) == ("deleted", 0)
    await_that(lambda: "Wrong" not in site.text("tides/index.html"))
    forged = intake.ask(DeleteRequest(site="blog", receipt=f"{receipt}x"))
    assert isinstance(forged, DeleteAnswer)
    assert forged.outcome == "expired"


def test_its_writer_deletes_it_from_an_entry_that_is_not_there_any_more(site: LocalSite, intake: IntakeClient) -> None:
    receipt = post(intake, "Wrong", form(intake), wait=5.0).receipt
    site.save("Tides", status="draft", entry=Entry.get())
    status = intake.ask(StatusRequest(site="blog", receipt=receipt, wait=0.0))
    assert isinstance(status, CommentAnswer)
    assert (status.outcome, status.page) == ("held", "/")
    said = []
    for confirmed in (False, True):
        answer = intake.ask(DeleteRequest(site="blog", receipt=receipt, confirmed=confirmed))
        assert isinstance(answer, DeleteAnswer)
        said.append((answer.outcome, answer.page, Comment.select().count()))
    assert said == [("possible", "/", 1), ("deleted", "/", 0)]


def test_what_is_not_saved_comes_back_as_a_form(intake: IntakeClient) -> None:
    first = post(intake, "Hello", "")
    assert (first.outcome, Comment.select().count()) == ("confirm", 0)
    assert first.form is not None
    assert first.html == "<p>Hello</p>"
    assert post(intake, "Hello", first.form.token).outcome == "accepted"
    refused = post(intake, "", form(intake))
    assert (refused.outcome, [p.field for p in refused.problems]) == ("refused", ["text"])
    preview = intake.ask(PreviewRequest(site="blog", draft=Draft(entry=entry(), name="Ida", text="*x*"), sender=SENDER))
    assert isinstance(preview, PreviewAnswer)
    assert (preview.html, preview.problems) == ("<p><em>x</em></p>", ())
    trapped = post(intake, "Buy", form(intake), trap="yes")
    assert (trapped.outcome, bool(trapped.receipt), Comment.select().count()) == ("discarded", True, 1)


def test_a_form_that_comes_too_soon_is_asked_for_again(tmp_path: Path) -> None:
    with blog(tmp_path, {"least_seconds": 3600.0}) as made, answering(made.config):
        client = IntakeClient(made.config.intake_socket)
        token = form(client)
        answer = post(client, "Hello", token)
        assert (answer.outcome, Comment.select().count()) == ("confirm", 0)
        assert answer.form is not None
        assert answer.form.token == token
        client.close()


def test_senders_and_entries_have_limits(tmp_path: Path) -> None:
    with blog(tmp_path, {"rate": 2, "entry_rate": 3}) as made, answering(made.config):
        client = IntakeClient(made.config.intake_socket)
        number, answers = entry(), []
        for address in ("192.0.2.1", "192.0.2.200", "::ffff:192.0.2.3", "198.51.100.1", "203.0.113.1"):
            sender = Sender(address=address)
            asked = request(f"From {address}", form(client), number).model_copy(update={"sender": sender})
            answers.append(client.ask(asked))
        client.close()
        said = [a.outcome if isinstance(a, CommentAnswer) else a.reason for a in answers]  # type: ignore[union-attr]
        assert said == ["accepted", "accepted", "limited", "accepted", "limited"]
        assert isinstance(answers[2], ErrorAnswer)
        assert 50 < answers[2].retry_after <= 61


@pytest.mark.parametrize("sent", ["without a token", "too soon", "with the trap filled"])
def test_forms_that_save_nothing_have_a_limit_too(tmp_path: Path, sent: str) -> None:
    with blog(tmp_path, {"rate": 2, "least_seconds": 3600.0}) as made, answering(made.config):
        client = IntakeClient(made.config.intake_socket)
        token = "" if sent == "without a token" else form(client)
        more = {"trap": "yes"} if sent == "with the trap filled" else {}
        asked = [request("Buy", token, entry(), **more).model_copy(update={"sender": Sender(address=f"192.0.2.{n}")})
                 for n in range(100)]  # fmt: skip
        answers = [client.ask(one) for one in asked]
        elsewhere = client.ask(asked[0].model_copy(update={"sender": Sender(address="2001:db8::1")}))
        client.close()
        said = [a.outcome if isinstance(a, CommentAnswer) else a.reason for a in answers]  # type: ignore[union-attr]
        assert set(said[:60]) == {"discarded" if more else "confirm"}
        assert set(said[60:]) == {"limited"}
        assert isinstance(elsewhere, CommentAnswer)


def test_sites_and_entries_that_are_not_there(intake: IntakeClient) -> None:
    site = intake.ask(SiteRequest(site="blog"))
    assert isinstance(site, SiteAnswer)
    assert (site.title, site.url, site.root) == ("A Blog", "https://blog.example/", "/")
    for absent in (SiteRequest(site="other"), FormRequest(site="blog", entry=4711), FormRequest(site="x", entry=1)):
        answer = intake.ask(absent)
        assert isinstance(answer, ErrorAnswer)
        assert answer.reason == "missing"


def test_whatever_is_sent_the_intake_goes_on(site: LocalSite, intake: IntakeClient) -> None:
    for line in (b"\n", b"{}\n", b'{"op": "ready", "more": 1}\n', b"\xff\n", b"x" * (MESSAGE_LIMIT + 9) + b"\n", b"["):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(site.config.intake_socket))
            peer.settimeout(10)
            with suppress(BrokenPipeError):
                peer.sendall(line)
            if line != b"[":
                with suppress(ConnectionResetError):
                    assert b"invalid" in peer.recv(MESSAGE_LIMIT)
    assert intake.ask(ReadyRequest()).kind == "ready"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another account")
def test_other_accounts_are_refused(site: LocalSite, intake: IntakeClient) -> None:
    path = site.config.intake_socket
    assert path.stat().st_mode & 0o777 == 0o600
    for folder in (path, *path.parents[:-2]):
        folder.chmod(0o777)
    pid = os.fork()
    if not pid:
        os.setuid(65534)
        with suppress(Exception):
            os._exit(0 if IntakeClient(path).ask(ReadyRequest()).kind == "error" else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert intake.ask(ReadyRequest()).kind == "ready"


def test_fifty_readers_at_once(site: LocalSite, intake: IntakeClient) -> None:
    number = entry()
    tokens = [form(intake) for _ in range(200)]

    def one(place: int) -> str:
        answer = intake.ask(request(f"Number {place}", tokens[place], number, wait=0.0))
        return answer.outcome if isinstance(answer, CommentAnswer) else str(answer)

    with ThreadPoolExecutor(50) as pool:
        assert set(pool.map(one, range(200))) == {"accepted"}
    assert {c.text for c in Comment.select()} == {f"Number {place}" for place in range(200)}
    await_that(lambda: "Number 199" in site.text("tides/index.html") and store.count_unfinished() == 0, 30)
    assert all(f"Number {place}<" in site.text("tides/index.html") for place in range(200))


def test_many_connections_share_a_few_of_the_database(site: LocalSite, intake: IntakeClient) -> None:
    number, before = entry(), database_connections(site.config)
    clients = [IntakeClient(site.config.intake_socket) for _ in range(130)]
    asked = FormRequest(site="blog", entry=number)
    with ThreadPoolExecutor(len(clients)) as pool:
        for _ in range(2):
            assert {answer.kind for answer in pool.map(lambda client: client.ask(asked), clients)} == {"form"}
    assert database_connections(site.config) <= before + 8
    for client in clients:
        client.close()


def database_connections(config: Config) -> int:
    """Of the intake on SQLite, and of all processes on PostgreSQL."""
    if config.database_url:
        sql = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database()"
        return int(db.execute(sql).fetchone()[0])
    (pid,) = [row.pid for row in processes.list_processes() if row.role == "intake"]
    file = str(config.database_file)
    return sum(os.path.realpath(open_file) == file for open_file in Path(f"/proc/{pid}/fd").iterdir())


def test_an_outage_of_the_database_is_told_and_survived(tmp_path: Path) -> None:
    with blog(tmp_path) as made, answering(made.config):
        client, number = IntakeClient(made.config.intake_socket), entry()
        token = form(client)
        db.disconnect()
        away = made.config.database_file.with_name("away.db")
        made.config.database_file.rename(away)
        try:
            answers = [client.ask(request("Hello", token, number, wait=0.0)) for _ in range(3)]
        finally:
            away.rename(made.config.database_file)
        # A connection that was open may still reach the file that was moved; a new one does not.
        assert all(isinstance(a, CommentAnswer) or a.reason == "unavailable" for a in answers if a.kind != "ready")
        await_that(lambda: client.ask(ReadyRequest()).kind == "ready")
        assert post(client, "Hello", token).outcome == "accepted"
        assert Comment.select().count() == 1
        client.close()


def test_no_kill_loses_or_repeats_a_comment(site: LocalSite) -> None:
    """Processes are killed at random moments while readers post; a form without an answer is sent again."""
    chance, answered, stop = random.Random(13), dict[int, str](), threading.Event()
    with answering(site.config):
        client, number = IntakeClient(site.config.intake_socket, timeout=5.0), entry()
        tokens = [form(client) for _ in range(120)]
        roles = {row.role for row in processes.list_processes()}
        assert {"intake", "worker"} <= roles
        db.disconnect()

        def read() -> None:
            for place in range(len(tokens)):
                while not stop.is_set() and place not in answered:
                    with suppress(IntakeUnavailable):
                        answer = client.ask(request(f"Number {place}.", tokens[place], number, wait=0.0))
                        if isinstance(answer, CommentAnswer):
                            answered[place] = answer.outcome

        reader = threading.Thread(target=read)
        reader.start()
        end, kills = clock.monotonic() + 60, 0
        while reader.is_alive() and clock.monotonic() < end:
            clock.sleep(chance.uniform(0.01, 0.3))
            victims = [row.pid for row in processes.list_processes() if row.role in ("intake", "worker")]
            if victims and kills < 6:  # each death of a process doubles the pause before its next start
                with suppress(ProcessLookupError):
                    os.kill(chance.choice(victims), signal.SIGKILL)
                    kills += 1
        stop.set()
        reader.join()
        client.close()
        assert (len(answered), set(answered.values())) == (120, {"accepted"})
        texts = sorted(c.text for c in Comment.select())
        assert texts == sorted(f"Number {place}." for place in range(120))
        await_that(lambda: store.count_unfinished() == 0, 40)
        assert all(f"Number {place}." in site.text("tides/index.html") for place in range(120))
