"""Every route of the admin application and of the API × every role × one's own and another site, by real requests.

A route without a row in `SAMPLES` fails. Each request is made in a transaction that is rolled back, so that all meet
the same installation.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from appliance import audit, db, editorial, plan_job, previews
from appliance.accounts import ownership, sessions, tokens, users
from appliance.accounts.models import User
from appliance.accounts.rights import ACTIONS, ALL_SITES, ROLES, Role, is_allowed
from appliance.config import Config, validate
from appliance.content import sites
from appliance.delivery import journal
from appliance.delivery.journal import Put
from appliance.editorial import senders
from appliance.queue import store
from appliance.queue.enqueue import JobRequest, enqueue
from appliance.queue.failures import FailureDetails
from appliance.queue.processes import RegisteredProcess
from appliance.web.admin import database, guard
from appliance.web.admin.app import create_app

URL: Final = "https://admin.example.org/"
API: Final = "/api/v1"
SITE: Final = f"{API}/sites/<site>"
#: A form, and a file.
FORM: Final[dict[str, Any]] = {}
FILE: Final = "file"
#: What is sent to each route, JSON to the API and a form to pages: enough of it to reach the decision of the view.
SAMPLES: Final[dict[str, Any]] = {
    # For everybody.
    "GET /static/<filename>": None, "GET /healthz": None, "GET /readyz": None, "GET /metrics": None,
    "POST /hooks/sources/<name>": None, "POST /hooks/sources/<site>/<name>": None,
    "POST /appearance": FORM, "GET /sign-in": None, "POST /sign-in": FORM, "POST /sign-out": FORM,
    "POST /sign-in/passkey/options": FORM, "POST /sign-in/passkey": FORM,
    "GET /sign-in/second-factor": None, "POST /sign-in/second-factor": FORM,
    "POST /sign-in/second-factor/passkey/options": FORM, "POST /sign-in/second-factor/passkey": FORM,
    "GET /sign-in/recovery-code": None, "POST /sign-in/recovery-code": FORM,
    "GET /forgotten": None, "POST /forgotten": FORM,
    "GET /invitation/<secret>": None, "POST /invitation/<secret>": FORM,
    "GET /reset/<secret>": None, "POST /reset/<secret>": FORM,
    f"GET {API}/openapi.json": None,
    # One's own account.
    "GET /": None, "GET /sign-in/set-up": None, "GET /confirm": None, "POST /confirm": FORM,
    "POST /confirm/passkey/options": FORM, "POST /confirm/passkey": FORM,
    "GET /account": None, "POST /account": FORM, "GET /account/password": None, "POST /account/password": FORM,
    "GET /account/second-factor": None, "POST /account/recovery-codes": FORM,
    "POST /account/second-factor/app": FORM, "POST /account/second-factor/app/confirm": FORM,
    "POST /account/second-factor/app/remove": FORM, "POST /account/passkeys/options": FORM,
    "POST /account/passkeys": FORM, "GET /account/passkeys/<number>": None, "POST /account/passkeys/<number>": FORM,
    "POST /account/passkeys/<number>/remove": FORM, "GET /account/sessions": None,
    "POST /account/sessions/<number>/end": FORM, "POST /account/sessions/end-others": FORM,
    "GET /account/tokens": None, "GET /account/tokens/new": None, "POST /account/tokens/new": FORM,
    "POST /account/tokens/<number>/revoke": FORM,
    f"GET {API}/me": None, f"GET {API}/tokens": None, f"POST {API}/tokens": {"label": "a script"},
    f"DELETE {API}/tokens/<token>": None,
    # The dashboard: the overview.
    # The dashboard: jobs.
    "GET /jobs": None, "GET /jobs/search-help": None, "POST /jobs/undo/<act>": FORM,
    **{f"POST /jobs/{act}": FORM for act in ("delete", "retry", "run", "prioritise")},
    **{f"GET /jobs/all/{act}": None for act in ("delete", "retry", "run", "prioritise")},
    **{f"POST /jobs/all/{act}": FORM for act in ("delete", "retry", "run", "prioritise")},
    # The dashboard: a job and failures.
    "GET /jobs/<job>": None, "POST /jobs/<job>/retry": FORM, "POST /jobs/<job>/prioritise": FORM,
    "POST /jobs/<job>/run": FORM, "POST /jobs/<job>/delete": FORM,
    "POST /jobs/<job>/compare": FORM, "GET /failures": None, "GET /failures/<group>/retry": None,
    "POST /failures/<group>/retry": FORM,
    # The dashboard: targets and pages.
    "GET /targets": None, "GET /targets/<target>": None, "POST /targets/<target>/pause": FORM,
    "POST /targets/<target>/resume": FORM, "POST /targets/<target>/check": FORM,
    "POST /targets/<target>/verify": FORM, "GET /targets/<target>/resync": None,
    "POST /targets/<target>/resync": FORM, "GET /pages": None, "POST /pages/look": FORM,
    # The dashboard: processes.
    "GET /processes": None, "GET /processes/ask": None, "POST /processes/act": FORM,
    # The dashboard: comments.
    "GET /comments": None, "POST /comments/act": FORM, "POST /comments/undo": FORM,
    "GET /comments/all": "?act=spam", "POST /comments/all": FORM, "GET /comments/bans": None,
    "GET /sites/<site>/comments/<comment>": None, "GET /sites/<site>/comments/<comment>/edit": None,
    "POST /sites/<site>/comments/<comment>/edit": FORM, "GET /sites/<site>/comments/<comment>/ban": None,
    "POST /sites/<site>/comments/<comment>/ban": FORM, "POST /sites/<site>/bans": FORM,
    "POST /sites/<site>/bans/lift": FORM,
    # The dashboard: schedule, sources and settings.
    "GET /schedule": None, "GET /schedule/task": "?name=rescue",
    "POST /schedule/run": FORM, "GET /sites/<site>/sources/<source>": None,
    "POST /sites/<site>/sources/<source>/pull": FORM, "GET /settings": None,
    # Users.
    "GET /users": None, "GET /users/new": None, "POST /users/new": FORM, "GET /users/<number>": None,
    "POST /users/<number>": FORM, "POST /users/<number>/roles": FORM, "POST /users/<number>/disable": FORM,
    "POST /users/<number>/enable": FORM, "POST /users/<number>/link": FORM,
    "POST /users/<number>/factors/remove": FORM, "POST /users/<number>/sessions/<session>/end": FORM,
    "POST /users/<number>/tokens/<token>/revoke": FORM,
    f"GET {API}/users": None, f"GET {API}/users/<user>": None,
    f"POST {API}/users": {"name": "new", "email": "n@x.example"},
    f"PATCH {API}/users/<user>": {"display": "Somebody"},
    f"PUT {API}/users/<user>/roles/<role_site>": {"role": "editor"},
    f"DELETE {API}/users/<user>/roles/<role_site>": None,
    f"POST {API}/users/<user>/link": None, f"DELETE {API}/users/<user>/factors": None,
    f"GET {API}/users/lookup": "?reference=victim", f"GET {API}/users/tokens": None,
    f"DELETE {API}/users/<user>/sessions": None,
    f"GET {API}/users/<user>/sessions": None, f"DELETE {API}/users/<user>/sessions/<session>": None,
    f"GET {API}/users/<user>/tokens": None, f"DELETE {API}/users/<user>/tokens/<token>": None,
    # The audit.
    "GET /audit": None, "GET /audit/<number>": None, "GET /audit/export.jsonl": None, "GET /audit/export.csv": None,
    "GET /sites/<site>/audit": None, "GET /sites/<site>/audit/<number>": None,
    "GET /sites/<site>/audit/export.jsonl": None, "GET /sites/<site>/audit/export.csv": None,
    f"GET {API}/audit": None, f"GET {SITE}/audit": None,
    f"GET {API}/audit/<row>": None, f"GET {SITE}/audit/<row>": None,
    # Sites and their content.
    f"GET {API}/sites": None, f"GET {SITE}": None, f"POST {SITE}/publish": {}, f"GET {SITE}/publication": None,
    f"GET {SITE}/entries": None, f"POST {SITE}/entries": {"title": "An entry"}, f"GET {SITE}/entries/<entry>": None,
    f"PATCH {SITE}/entries/<entry>": {"title": "Another"}, f"DELETE {SITE}/entries/<entry>": None,
    f"GET {SITE}/entries/<entry>/status": None,
    f"POST {SITE}/entries/delete": {"entries": ["1"]},
    f"GET {SITE}/comments": None, f"GET {SITE}/comments/<comment>": None,
    f"POST {SITE}/comments": {"entry": 1, "text": "Well said."},
    f"PATCH {SITE}/comments/<comment>": {"text": "Otherwise."},
    f"DELETE {SITE}/comments/<comment>": None, f"POST {SITE}/comments/delete": {"comments": [1]},
    f"POST {SITE}/comments/judge": {"comments": [1], "status": "approved"},
    f"POST {SITE}/comments/undo": {}, f"POST {SITE}/comments/erase": {"email": "reader@x.example"},
    f"GET {SITE}/bans": None, f"POST {SITE}/bans": {"who": "198.51.100.0/24"},
    f"DELETE {SITE}/bans": "?who=198.51.100.0/24",
    f"GET {SITE}/terms/<kind>": None, f"GET {SITE}/terms/<kind>/<term>": None,
    f"PATCH {SITE}/terms/<kind>/<term>": {"name": "Other"}, f"POST {SITE}/terms/<kind>/<term>/merge": {"into": 2},
    f"DELETE {SITE}/terms/<kind>/<term>": None,
    f"GET {SITE}/assets": None, f"GET {SITE}/assets/<asset>": None, f"POST {SITE}/assets": FILE,
    f"PUT {SITE}/assets/<asset>": FILE, f"PATCH {SITE}/assets/<asset>": {"path": "other.txt"},
    f"DELETE {SITE}/assets/<asset>": None, f"GET {SITE}/assets/lookup": "?reference=1",
    f"POST {SITE}/assets/delete": {"assets": ["1"]}, f"GET {SITE}/terms/<kind>/lookup": "?reference=One",
    f"GET {SITE}/entries/lookup": "?reference=1", f"POST {SITE}/entries/<entry>/previews": {},
    f"GET {API}/previews": None, f"GET {SITE}/previews/<preview>": None,
    f"GET {SITE}/previews": None, f"DELETE {SITE}/previews/<preview>": None,
    # The queue, and what runs.
    f"GET {SITE}/jobs": None, f"GET {SITE}/jobs/counts": None, f"GET {SITE}/jobs/<job>": None,
    f"POST {SITE}/jobs/retry": {"filter": {"id": [1]}}, f"POST {SITE}/jobs/delete": {"filter": {"id": [1]}},
    f"POST {SITE}/jobs/prioritise": {"filter": {"id": [1]}, "priority": 1},
    f"GET {API}/jobs": None, f"GET {API}/jobs/counts": None, f"GET {API}/jobs/details": "?id=1",
    f"POST {API}/jobs/retry": {"filter": {}, "all": True}, f"POST {API}/jobs/delete": {"filter": {}, "all": True},
    f"POST {API}/jobs/prioritise": {"filter": {}, "all": True, "priority": 1},
    f"GET {SITE}/sources": None, f"GET {SITE}/sources/<source>/pulls": None,
    f"POST {SITE}/sources/<source>/pull": None,
    f"GET {API}/pages": "?path=blog/page.html",
    f"GET {API}/targets": None, f"GET {API}/targets/<target>": None, f"POST {API}/targets/<target>/pause": None,
    f"POST {API}/targets/<target>/resume": None, f"POST {API}/targets/<target>/resync": {},
    f"POST {API}/targets/<target>/check": None, f"POST {API}/targets/<target>/verify": None,
    f"GET {API}/processes": None, f"POST {API}/processes/<process>": {"request": "recycle"},
    f"GET {API}/status": None, f"GET {API}/periodic": None, f"GET {API}/periodic/runs": "?name=rescue",
    f"POST {API}/periodic/run": {"name": "rescue"},
}  # fmt: skip
#: Where a user has a role: on the site of the request, on another one, on all; or nowhere.
PLACES: Final = ("blog", "news", ALL_SITES)
CASES: Final[list[tuple[Role | None, str]]] = [(role, place) for role in ROLES for place in PLACES] + [(None, "")]


@dataclass
class Caller:
    """A user, with a session and a token."""

    user: User
    role: Role | None
    place: str
    cookie: str
    token: str

    def may(self, action: str, *, owns: bool) -> bool:
        """Whether the table of rights allows an action on `blog`, or on the whole."""
        known = ACTIONS[action]
        if known.scope == "self":
            return True
        reaches = self.place == ALL_SITES or (known.scope == "site" and self.place == "blog")
        return self.role is not None and reaches and is_allowed(self.role, known, owns=owns)

    @property
    def knows(self) -> bool:
        """Whether the user has a role on `blog`."""
        return self.role is not None and self.place in ("blog", ALL_SITES)


@dataclass
class Installation:
    """An installation with one thing of each kind on `blog`."""

    app: Flask
    callers: list[Caller]
    #: The variables of paths.
    things: dict[str, object]

    @property
    def client(self) -> FlaskClient:
        return self.app.test_client(use_cookies=False)

    def ask(self, method: str, path: str, sample: Any, caller: Caller | None) -> TestResponse:
        headers = {"Sec-Fetch-Site": "same-origin", "Host": "admin.example.org"}
        if caller is not None:
            headers |= {"Cookie": f"__Host-appliance={caller.cookie}", "Authorization": f"Bearer {caller.token}"}
        sent: dict[str, Any] = {}
        if sample is FILE:
            sent = {"data": {"file": (io.BytesIO(b"text"), "new.txt"), "path": "new.txt"}}
        elif isinstance(sample, str):
            path += sample
        elif sample is FORM:
            sent = {"data": sample}
        elif sample is not None:
            sent = {"json": sample}
        return self.client.open(path, method=method, headers=headers, buffered=True, **sent)


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("rights")
    (folder / "posts").mkdir()
    (folder / "front").mkdir()
    named = [
        {"name": name, "title": name, "url": f"https://{name}.example/", "folder": name} for name in ("blog", "news")
    ]
    named[0] |= {"sources": [{"name": "feed", "folder": str(folder / "posts")}]}  # type: ignore[dict-item]
    config = validate(
        {"docroot": str(folder / "www"), "sites": named,
         "admin": {"url": URL, "preview_url": "https://preview.example.org/"},
         "targets": [{"name": "front1", "address": str(folder / "front"), "other_path": True}]},
        folder / "appliance.toml",
    )  # fmt: skip
    opened = db.connect(config)
    sites.sync(config)
    things = fill(config, folder)
    callers = [make_caller(role, place) for role, place in CASES]
    app = create_app(config)
    app.testing = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "end_request", lambda: None)  # the transaction is the test's
        yield Installation(app, callers, things)
    opened.close()


def fill(config: Config, folder: Path) -> dict[str, object]:
    """Make one thing of each kind; return the variables of paths."""
    file = folder / "file.txt"
    file.write_text("text")
    with plan_job.leave_to_workers():
        added = editorial.add_entry(
            config, "blog", "An entry", status="published", categories=["One", "Two"], tags=["One"], later=True
        )
        entry = added.subject
        comment = editorial.add_comment(config, "blog", entry, "Well said.", author="A reader", later=True).subject
        asset = editorial.upload_asset(config, "blog", file, later=True).subject
    senders.ban(config, "blog", "198.51.100.0/24")
    (job,) = db.execute("SELECT id FROM job WHERE kind = 'plan' AND key = 'blog'").fetchone()
    enqueue("publish", [JobRequest("blog/broken.html", scope="blog")], ageing=60.0)
    (claim,) = store.claim("here:1", ["publish"], 1, 30.0)
    store.fail(claim, FailureDetails("OSError", "It is broken.", ""), retry_after=None)
    (group,) = db.execute("SELECT fault FROM job WHERE id = ?", [claim.id]).fetchone()
    process = RegisteredProcess("worker", "here", pid=1)
    process.register()
    victim = users.add_user("victim", "victim@example.org", roles={"blog": "author"})
    token = tokens.create(victim, "a script")[1]
    session = sessions.start(victim, "192.0.2.1", factors=["password"])[1]
    _, link = previews.share(config, "blog", entry, days=7)
    with db.write():
        journal.append([Put("blog/page.html", 1, "0" * 64, 1)], "here")
    audit.record("entry.edit", "entry", entry.id, site="blog", label="An entry")
    (row,) = db.execute("SELECT max(id) FROM audit").fetchone()
    return {
        "site": "blog", "name": "feed", "source": "feed", "filename": "admin.css", "secret": "secret",
        "entry": entry.id, "comment": comment.id, "asset": asset.id, "job": job, "act": 1, "group": group,
        "target": "front1", "process": process.name,
        "kind": "category", "term": 1, "user": victim.id, "token": token.id, "session": session.id, "role_site": "blog",
        "preview": link.id, "users": victim.id, "audit": row, "row": row,
    }  # fmt: skip


def make_caller(role: Role | None, place: str) -> Caller:
    name = f"{role or 'nobody'}-{'all' if place == ALL_SITES else place or 'nowhere'}"
    user = users.add_user(name, f"{name}@example.org", roles={place: role} if role else {})
    cookie, _ = sessions.start(user, "192.0.2.1", factors=["password", "totp"])
    token, _ = tokens.create(user, "a script", scopes=[*sorted(set(ACTIONS) - {"account.edit"})])
    return Caller(user, role, place, cookie, token)


def plain(rule: str) -> str:
    """A rule with the names of its variables alone."""
    return re.sub(r"<(?:[a-z]+(?:\([^)]*\))?:)?(\w+)>", r"<\1>", rule)


def routes(installation: Installation) -> list[tuple[str, str, str | None]]:
    """Each method and path of each route, with its action."""
    return [
        (method, plain(rule), action)
        for rule, methods, action in guard.registered(installation.app)
        for method in methods
    ]  # fmt: skip


def fill_in(path: str, things: dict[str, object]) -> str:
    """The path of a thing that there is."""
    known = {**things, "number": things["audit"] if "/audit/" in path else things["users"]}
    return re.sub(r"<(\w+)>", lambda found: str(known[found[1]]), path)


def test_every_route_has_a_row_and_every_row_a_route(installation: Installation) -> None:
    there = {f"{method} {path}" for method, path, _ in routes(installation)}
    assert there - set(SAMPLES) == set(), "add rows to SAMPLES for these routes"
    assert set(SAMPLES) - there == set(), "these rows have no route any more"


def test_nobody_gets_anything_that_is_not_public(installation: Installation) -> None:
    for method, path, action in routes(installation):
        with db.write(rollback=True):
            answer = installation.ask(method, fill_in(path, installation.things), SAMPLES[f"{method} {path}"], None)
        if action is None:
            assert answer.status_code not in (401, 500), (method, path, answer.text)
        elif method == "GET" and not path.startswith(API):
            assert (answer.status_code, answer.headers["Location"][:8]) == (303, "/sign-in"), (method, path)
        else:
            assert answer.status_code == 401, (method, path, answer.text)


@pytest.mark.parametrize("number", range(len(CASES)), ids=[f"{role or 'nobody'} {place}" for role, place in CASES])
def test_every_route_for_every_role_on_every_site(installation: Installation, number: int) -> None:
    caller = installation.callers[number]
    wrong: list[str] = []
    for method, path, action in routes(installation):
        if action is None or (path.startswith(API) and action == "account.edit"):
            continue
        for owns in (False, True) if ACTIONS[action].own and re.search("<(entry|preview)>", path) else (False,):
            status = status_of(installation, method, path, caller, owns=owns)
            if not fits(status, caller, action, path, owns=owns):
                wrong.append(f"{method} {path} ({action}{', own' if owns else ''}): {status}")
    assert wrong == []


def status_of(installation: Installation, method: str, path: str, caller: Caller, *, owns: bool) -> int:
    with db.write(rollback=True):
        if owns:
            ownership.own(int(str(installation.things["entry"])), caller.user.id)
        where = fill_in(path, installation.things)
        return installation.ask(method, where, SAMPLES[f"{method} {path}"], caller).status_code


def fits(status: int, caller: Caller, action: str, path: str, *, owns: bool) -> bool:
    """Whether a status is what the table of rights says."""
    known = ACTIONS[action]
    if known.scope == "self":
        return status not in (401, 403, 500)  # what is not one's own is not there
    if re.search("<(job|group)>", path) and "<site>" not in path and caller.role and is_allowed(caller.role, known):
        return status not in (401, 403, 404, 405, 500) if caller.knows else status == 404
    if known.scope == "site" and "<site>" not in path:  # about what one may see or act on, on whatever sites
        may = caller.role is not None and is_allowed(caller.role, known)
        return status not in (401, 403, 404, 405, 500) if may else status == 403
    if known.scope == "site" and not caller.knows:
        return status == 404
    if caller.may(action, owns=owns):
        return status not in (401, 403, 404, 405, 500)
    return status == 403
