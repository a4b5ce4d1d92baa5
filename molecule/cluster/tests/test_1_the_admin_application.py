"""People and programs act on either publishing host: one session, one second factor, one audit, and few rights."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pyotp
import pytest
from browsing import Browser
from operating import DOCROOT, LEVEL, Cluster
from reading import await_everywhere, says

PASSWORD = "correct horse battery staple"
PYTHON = "/opt/appliance/current/bin/python"

#: What the account of the admin application may do in the database, as PostgreSQL has it, beside what it should.
RIGHTS = """
import json, sys, tomllib, psycopg
from appliance.db.grants import GRANTS
with open("/etc/appliance/admin/appliance.toml", "rb") as file:
    url = tomllib.load(file)["database"]
kinds = ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"]
asked = ", ".join(f"has_table_privilege(c.oid, '{kind}')" for kind in kinds)
tables = "FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'"
with psycopg.connect(url, autocommit=True) as admin:
    may = {name: [kind for kind, has in zip(kinds, found) if has]
           for name, *found in admin.execute(f"SELECT c.relname, {asked} {tables}")}
    role = admin.execute("SELECT current_user, rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls OR "
                         "rolreplication, (SELECT COUNT(*) FROM pg_auth_members m WHERE m.member = r.oid) "
                         "FROM pg_roles r WHERE rolname = current_user").fetchone()
    refused = {}
    for statement in json.loads(sys.argv[1]):
        try:
            admin.execute(statement)
        except psycopg.Error as error:
            refused[statement] = error.sqlstate
    elsewhere = []
    for database in ("postgres", "template1"):
        try:
            psycopg.connect(url.replace("/appliance?", f"/{database}?")).close()
            elsewhere.append(database)
        except psycopg.OperationalError:
            pass
print(json.dumps({"may": may, "granted": GRANTS, "role": role, "refused": refused, "elsewhere": elsewhere}))
"""

#: What would change the past, read what is others', or stay when the application is mended.
FORBIDDEN = (
    "UPDATE audit SET actor = 'nobody'",
    "DELETE FROM audit",
    "TRUNCATE audit",
    "ALTER TABLE audit DISABLE TRIGGER ALL",
    "SELECT * FROM secret",
    "INSERT INTO publication DEFAULT VALUES",
    "DELETE FROM artifact",
    "CREATE TABLE planted (x int)",
    "CREATE ROLE another LOGIN",
    "SET ROLE appliance",
    "COPY entry TO PROGRAM 'true'",
    "SELECT pg_read_file('/etc/passwd')",
)

#: Makes a repository with one commit, the same on every host, which the account owns and reads.
REPOSITORY = """
export GIT_AUTHOR_DATE='2026-03-01 12:00 +0000' GIT_COMMITTER_DATE='2026-03-01 12:00 +0000'
cd "$(mktemp -d)" && git init -q -b main .
printf -- '---\\ntitle: Lighthouse\\ndate: 2026-03-01\\n---\\nIt turns.\\n' >lighthouse.md
git add . && git -c user.name=a -c user.email=a@example.org commit -q -m 'Add the lighthouse'
git clone -q --bare . /srv/notes.git && chown -R publish:publish /srv/notes.git
"""


class Phone:
    """An authenticator app. No code counts twice, so it waits for another one."""

    def __init__(self, key: str) -> None:
        self._app, self._shown = pyotp.TOTP(key), 0

    def code(self) -> str:
        step = max(int(time.time()) // self._app.interval - 1, self._shown + 1)
        while step > int(time.time()) // self._app.interval + 1:
            time.sleep(0.2)
        self._shown = step
        return self._app.at(step * self._app.interval)


@pytest.fixture(scope="module")
def browser(cluster: Cluster) -> Browser:
    return Browser(cluster)


@pytest.fixture(scope="module")
def phone(cluster: Cluster, browser: Browser) -> Phone:
    """The app of ada, who has chosen a password on pub1 and signed in there, with this browser."""
    cluster.run("pub1", "echo %s | appliance users.add ada --email ada@example.org --admin --password", PASSWORD)
    answer = browser.send("pub1", "/sign-in", name="ada", password=PASSWORD)
    assert (answer.status, answer.headers["Location"]) == (303, "/sign-in/set-up"), answer
    phone = Phone(browser.send("pub1", "/account/second-factor/app").marked("key").replace(" ", ""))
    answer = browser.send("pub1", "/account/second-factor/app/confirm", code=phone.code())
    assert "Recovery codes" in answer.text, answer
    return phone


@pytest.fixture(scope="module")
def token(browser: Browser, phone: Phone) -> str:
    """A token of ada's for the API, made in the browser on pub2."""
    answer = browser.send("pub2", "/account/tokens/new", label="An operator", days="1", limit="all")
    return answer.marked("token")


def test_a_session_holds_on_both_hosts(browser: Browser, phone: Phone) -> None:
    """Who has signed in on pub1 with a password and an app has signed in on pub2 too"""
    for publisher in ("pub1", "pub2"):
        answer = browser.get(publisher, "/account")
        assert (answer.status, "ada@example.org" in answer.text) == (200, True), answer


def test_a_second_factor_holds_on_both_hosts(cluster: Cluster, phone: Phone) -> None:
    """The app that was set up on pub1 lets its user in on pub2, since both have the keys that sealed its secret"""
    other = Browser(cluster)
    answer = other.send("pub2", "/sign-in", name="ada", password=PASSWORD)
    assert (answer.status, answer.headers["Location"]) == (303, "/sign-in/second-factor"), answer
    assert other.get("pub2").status == 303
    assert other.send("pub2", "/sign-in/second-factor", code=phone.code()).headers["Location"] == "/"
    assert other.get("pub1").status == 200
    sealed = cluster.run("db1", "runuser -u postgres -- psql -At appliance -c %s", "SELECT totp FROM account")
    assert sealed.startswith("sealed:"), "the secret of the app can be read from the database"


def test_what_is_done_on_one_host_shows_on_the_other(cluster: Cluster, browser: Browser, token: str) -> None:
    """A target is paused on pub2: it gets nothing; pub1 shows who did that, from where, and resumes it"""
    browser.call("POST", "pub2", "/targets/www1/pause", token)
    rows = browser.call("GET", "pub1", "/targets", token)["rows"]
    assert [row["name"] for row in rows if row["paused"]] == ["www1"]
    cluster.appliance("pub1", "content.add", "Heron", "--text", "It waits.", "--status", "published",
                      "--address", "heron/index.html")  # fmt: skip
    served = cluster.served()
    await_everywhere({name: served[name] for name in ("www2", "www3")}, "/heron/", says("It waits."))
    assert not cluster.host("www1").file(f"{DOCROOT}/heron/index.html").exists
    browser.call("POST", "pub1", "/targets/www1/resume", token)
    await_everywhere(served, "/heron/", says("It waits."))

    acts = json.loads(cluster.appliance("pub1", "audit.list", "--action", "target.act", "--json"))
    assert [(row["actor"], row["via"], row["subject_id"], row["after"]["paused"]) for row in acts[:2]] == [
        ("ada", "api", "www1", False), ("ada", "api", "www1", True),
    ]  # fmt: skip
    gateways = {address.rpartition(".")[0] for address in cluster.addresses.values()}
    assert {row["address"].rpartition(".")[0] for row in acts[:2]} == gateways, "nginx did not say who asked"
    page = browser.get("pub1", "/audit?action=target.act&actor=ada")
    assert page.text.count("<code>target.act</code>") == 2, page
    cluster.appliance("pub2", "audit.verify")


def test_content_is_edited_with_the_rights_of_the_application(cluster: Cluster, browser: Browser, token: str) -> None:
    """What an editor adds by the API on pub2 is published with its former address, and is edited on pub1"""
    added = browser.call("POST", "pub2", "/sites/blog/entries", token,
                         {"title": "Otter", "text": "It swims.", "status": "published", "address": "otter/",
                          "aliases": ["animals/otter/"], "tags": ["water"], "categories": ["Animals"]})  # fmt: skip
    await_everywhere(cluster.served(), "/otter/", says("It swims."))
    await_everywhere(cluster.served(), "/animals/otter/", says("/otter/"))
    edited = browser.call("PATCH", "pub1", f"/sites/blog/entries/{added['id']}", token, {"text": "It dives."})
    assert edited["aliases"] == ["animals/otter/"]
    await_everywhere(cluster.served(), "/otter/", says("It dives."))
    cluster.await_level()


def test_the_role_in_the_database_may_do_what_it_must_and_no_more(cluster: Cluster) -> None:
    """Whoever has the account of the application on pub2 has the rights that the release lists, on no other database"""
    became = "setpriv --reuid=appliance-admin --regid=publish --groups=publish,appliance-admin --no-new-privs"
    command = f"{became} env HOME=/nonexistent {PYTHON} -I -c %s %s"
    found = json.loads(cluster.run("pub2", command, RIGHTS, json.dumps(FORBIDDEN)))
    assert found["role"] == ["appliance_admin", False, 0]
    assert {name: set(rights) for name, rights in found["may"].items()} == {
        name: set(rights) for name, rights in found["granted"].items() if name in found["may"]
    }
    assert set(found["may"]) <= set(found["granted"])
    assert found["refused"].keys() == set(FORBIDDEN)
    assert set(found["refused"].values()) == {"42501"}, found["refused"]
    assert found["elsewhere"] == []


def test_secrets_are_the_same_on_both_hosts_and_for_their_accounts_alone(cluster: Cluster) -> None:
    """Keys and secrets of the inventory are on both publishing hosts, each readable by the account that needs it"""
    files = {
        "/etc/appliance/admin/accounts.key": "600 appliance-admin",
        "/etc/appliance/admin/hooks/notes.secret": "600 appliance-admin",
        "/etc/appliance/webhooks/deploy.secret": "600 publish",
    }
    names = " ".join(files)
    assert cluster.run("pub1", f"sha256sum {names}") == cluster.run("pub2", f"sha256sum {names}")
    for publisher in cluster.publishers:
        assert cluster.run(publisher, f"stat --format='%a %U' {names}").splitlines() == list(files.values())
        for account, other in (("publish", "/etc/appliance/admin/accounts.key"),
                               ("appliance-admin", "/etc/appliance/webhooks/deploy.secret")):  # fmt: skip
            assert cluster.host(publisher).run(f"runuser -u {account} -- cat {other}").rc != 0


def test_a_git_host_has_a_source_pulled(cluster: Cluster, browser: Browser) -> None:
    """A push that a git host tells of on pub2 is on all front ends; one with another secret does nothing"""
    for publisher in cluster.publishers:
        cluster.run(publisher, REPOSITORY)
    for secret, status in (("what-somebody-guesses", 404), ("what-the-git-host-knows", 202)):
        body = b'{"ref": "refs/heads/main"}'
        signature = hmac.digest(secret.encode(), body, hashlib.sha256).hex()
        headers = {"X-GitHub-Event": "push", "X-Hub-Signature-256": f"sha256={signature}",
                   "Content-Type": "application/json", "Cookie": ""}  # fmt: skip
        assert browser.ask("POST", "pub2", "/hooks/sources/blog/notes", body, headers).status == status
    await_everywhere(cluster.served(), "/2026/03/lighthouse/", says("It turns."))
    cluster.await_level()


def test_a_publishing_host_is_restarted(cluster: Cluster, browser: Browser, phone: Phone) -> None:
    """pub1 is restarted: people go on by pub2 meanwhile, and by pub1 again with the same session"""
    with ThreadPoolExecutor(1) as pool:
        restarting = pool.submit(cluster.reboot, "pub1")
        while not restarting.done():
            assert browser.get("pub2", "/account").status == 200
    restarting.result()
    deadline = time.monotonic() + LEVEL
    while (answer := _status(browser, "pub1")) != 200:
        assert time.monotonic() < deadline, answer
    cluster.await_level()


def _status(browser: Browser, publisher: str) -> int | str:
    try:
        return browser.get(publisher, "/account").status
    except OSError as error:
        return str(error)
