"""The application of previews: what each address answers, to whom, and with which headers."""

from __future__ import annotations

import threading
from email.message import Message
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from appliance import clock, db, previews
from appliance.content import entries, entry_edits
from appliance.content.models import Entry
from appliance.demo import nginx
from appliance.planning.models import SitePlanState
from appliance.previews import build_job
from appliance.queue.handlers import JobContext
from appliance.web.previews.app import COOKIE, create_app
from appliance.web.previews.headers import OF_SITES
from tests.building.test_pages import picture
from tests.local_site import LocalSite
from tests.previews.conftest import PREVIEW


@pytest.fixture
def draft(shop: LocalSite) -> Entry:
    shop.upload("cat.png", picture(40))
    return shop.save("Draft", "2026-11-02", status="draft", text="Not yet ![cat](/cat.png)")


@pytest.fixture
def browser(shop: LocalSite) -> FlaskClient:
    return browser_of(shop)


def browser_of(shop: LocalSite, longest_wait: float = 0.0) -> FlaskClient:
    return create_app(shop.config, longest_wait=longest_wait).test_client()


def get(browser: FlaskClient, path: str, **more: object) -> TestResponse:
    return browser.get(path, base_url=PREVIEW, **more)  # type: ignore[arg-type]


def share(shop: LocalSite, entry: Entry) -> str:
    secret, _ = previews.share(shop.config, "blog", entry)
    return secret


def build(shop: LocalSite, entry: Entry) -> None:
    build_job.build_preview({}, JobContext(shop.config, "preview", f"blog/{entry.id}", "blog", 1))


def shown(shop: LocalSite, draft: Entry) -> str:
    secret = share(shop, draft)
    build(shop, draft)
    return secret


def test_a_link_leads_to_the_entry(shop: LocalSite, draft: Entry, browser: FlaskClient) -> None:
    secret = shown(shop, draft)
    opened = get(browser, f"/{secret}")
    assert (opened.status_code, opened.location) == (303, "/2026/draft/")
    cookie = Message()
    cookie["Set-Cookie"] = opened.headers["Set-Cookie"]
    name, _, rest = opened.headers["Set-Cookie"].partition("=")
    assert name == COOKIE
    assert set(rest.split("; ")[1:]) == {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"}
    page = get(browser, "/2026/draft/")
    assert page.status_code == 200
    assert "<h1>Draft</h1>" in page.text
    assert secret not in page.text
    assert page.content_type == "text/html; charset=utf-8"
    style = get(browser, "/theme/a.css")
    assert (style.status_code, style.content_type) == (200, "text/css; charset=utf-8")
    cat = get(browser, "/cat.png")
    assert (cat.content_type, cat.data) == ("image/png", picture(40))
    part = get(browser, "/cat.png", headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.data) == (206, picture(40)[:4])
    assert get(browser, "/").text == "Draft;Published;"
    led_on = get(browser, "/2026/draft")
    assert (led_on.status_code, led_on.location) == (302, "/2026/draft/")


def test_every_answer_has_its_headers(shop: LocalSite, draft: Entry, browser: FlaskClient) -> None:
    secret = shown(shop, draft)
    paths = ("/nothing", f"/{secret}", "/2026/draft/", "/theme/a.css", "/elsewhere/", "/robots.txt")
    answers = [get(browser, path) for path in paths]
    answers.append(browser.post("/2026/draft/", base_url=PREVIEW, data={"text": "A comment"}))
    assert [answer.status_code for answer in answers] == [404, 303, 200, 200, 404, 200, 405]
    for answer in answers:
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Robots-Tag"] == "noindex, nofollow, noarchive"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        policy = answer.headers["Content-Security-Policy"]
        assert "form-action 'none'" in policy
        assert policy.endswith("frame-ancestors https://admin.example.org")
    assert "connect-src 'self'" in answers[2].headers["Content-Security-Policy"]
    assert answers[5].text == "User-agent: *\nDisallow: /\n"


def test_pages_may_do_what_front_ends_allow_but_for_forms() -> None:
    def directives(policy: str) -> dict[str, str]:
        return {name: sources for name, _, sources in (part.strip().partition(" ") for part in policy.split(";"))}

    ours, theirs = directives(OF_SITES), directives(nginx.HEADERS["Content-Security-Policy"])
    assert {name for name in theirs if theirs[name] != ours.get(name)} == {"frame-ancestors", "form-action"}


def test_whatever_is_not_valid_is_the_same_page(shop: LocalSite, draft: Entry, browser: FlaskClient) -> None:
    """Nobody learns whether a link was revoked, has expired or never was; also not by a cookie of it."""
    revoked = shown(shop, draft)
    (link,) = previews.list_links(shop.config).rows
    get(browser, f"/{revoked}")
    previews.revoke(shop.config, "blog", link.id)
    expired = shown(shop, draft)
    other = browser_of(shop)
    get(other, f"/{expired}")
    db.execute("UPDATE preview_link SET expires_at = 1 WHERE revoked_at IS NULL")
    unknown = "A" * 43
    answers = [get(browser_of(shop), f"/{secret}") for secret in (unknown, revoked, expired)]
    answers += [get(browser_of(shop), path) for path in ("/", "/2026/draft/", "/x/../y", "/%00", "/a\\b", "/%ff")]
    answers += [get(browser, "/2026/draft/"), get(other, "/2026/draft/"), get(other, "/cat.png")]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.data for answer in answers}) == 1
    assert len({str(sorted(answer.headers.items())) for answer in answers}) == 1


def test_a_second_link_takes_the_place_of_the_first(shop: LocalSite, draft: Entry, browser: FlaskClient) -> None:
    get(browser, f"/{shown(shop, draft)}")
    other = shop.save("Other", "2026-11-03", status="draft")
    get(browser, f"/{shown(shop, other)}")
    assert "<h1>Other</h1>" in get(browser, "/2026/other/").text
    missing = get(browser, "/2026/draft/")
    assert missing.status_code == 404
    assert 'href="/2026/other/"' in missing.text


def test_a_preview_that_is_not_built_yet_says_so(shop: LocalSite, draft: Entry, browser: FlaskClient) -> None:
    secret = share(shop, draft)
    answer = get(browser, f"/{secret}")
    assert (answer.status_code, answer.headers["Refresh"]) == (200, "1")
    assert "is being made" in answer.text
    assert "<script" not in answer.text
    assert "Set-Cookie" not in answer.headers
    build(shop, draft)
    assert get(browser, f"/{secret}").status_code == 303


def test_a_visitor_waits_for_a_build_and_is_woken_by_it(shop: LocalSite, draft: Entry) -> None:
    secret, browser = share(shop, draft), browser_of(shop, longest_wait=30.0)

    def work() -> None:
        build(shop, draft)
        db.disconnect()

    worker = threading.Timer(0.3, work)
    worker.start()
    begun = clock.monotonic()
    assert get(browser, f"/{secret}").status_code == 303
    assert clock.monotonic() - begun < 20
    worker.join()


def test_a_change_is_never_shown_as_it_was_before(shop: LocalSite, draft: Entry, browser: FlaskClient) -> None:
    get(browser, f"/{shown(shop, draft)}")
    entry_edits.edit(draft, title="Renamed")
    assert "is being made" in get(browser, "/2026/draft/").text
    assert get(browser, "/theme/a.css").status_code == 200
    build(shop, draft)
    assert "<h1>Renamed</h1>" in get(browser, "/2026/draft/").text
    entry_edits.edit(draft, slug="moved")
    build(shop, draft)
    assert 'href="/2026/moved/"' in get(browser, "/2026/draft/").text


def test_a_fault_is_a_sentence(shop: LocalSite, draft: Entry, browser: FlaskClient) -> None:
    (shop.folder / "theme" / "entry.html").write_text("{{ entry.title.nothing() }}", "utf-8")
    answer = get(browser, f"/{shown(shop, draft)}")
    assert answer.status_code == 200
    assert "cannot be made" in answer.text
    assert "entry.html" in answer.text


def test_a_lost_job_is_enqueued_again(shop: LocalSite, draft: Entry, browser: FlaskClient) -> None:
    secret = share(shop, draft)
    db.execute("DELETE FROM job WHERE kind = 'preview'")
    get(browser, f"/{secret}")
    assert db.execute("SELECT COUNT(*) FROM job WHERE kind = 'preview'").fetchone()[0] == 1
    get(browser, f"/{secret}")
    assert db.execute("SELECT COUNT(*) FROM job WHERE kind = 'preview'").fetchone()[0] == 1


def test_a_plan_since_the_build_has_it_built_again(shop: LocalSite, draft: Entry, browser: FlaskClient) -> None:
    """The theme may have changed, or an entry beside it."""
    secret = shown(shop, draft)
    db.execute("UPDATE preview SET built_at = built_at - 100")
    SitePlanState.update(at=db.now()).execute()
    assert "is being made" in get(browser, f"/{secret}").text
    build(shop, draft)
    assert get(browser, f"/{secret}").status_code == 303
    assert get(browser, f"/{secret}").status_code == 303


def test_an_entry_that_is_deleted_takes_its_preview_along(shop: LocalSite, draft: Entry, browser: FlaskClient) -> None:
    secret = shown(shop, draft)
    get(browser, f"/{secret}")
    entries.delete(draft)
    assert get(browser, f"/{secret}").status_code == 404
    assert get(browser, "/2026/draft/").status_code == 404


def test_a_visit_is_kept_to_the_minute(shop: LocalSite, draft: Entry, browser: FlaskClient) -> None:
    secret = shown(shop, draft)
    assert previews.list_links(shop.config).rows[0].seen_at is None
    get(browser, f"/{secret}")
    seen = previews.list_links(shop.config).rows[0].seen_at
    get(browser, f"/{secret}")
    assert seen is not None
    assert previews.list_links(shop.config).rows[0].seen_at == seen


def test_a_site_below_a_folder(database: object, tmp_path: Path) -> None:
    from tests.local_site import local_site
    from tests.previews.conftest import ADMIN, FILES, MANIFEST

    site = {"url": "https://example.org/blog/", "folder": "blog"}
    admin = {"url": ADMIN, "preview_url": PREVIEW}
    with local_site(tmp_path, MANIFEST, FILES, sites=[site], database=database.database, admin=admin) as shop:  # type: ignore[attr-defined]
        draft = shop.save("Draft", "2026-11-02", status="draft")
        browser = browser_of(shop)
        assert get(browser, f"/{shown(shop, draft)}").location == "/blog/2026/draft/"
        page = get(browser, "/blog/2026/draft/").text
        assert "/blog/theme/a.css" in page
        assert get(browser, "/blog/theme/a.css").status_code == 200
