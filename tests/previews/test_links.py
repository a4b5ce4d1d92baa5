"""Links to previews: made, listed, revoked and found, and built by a worker when something changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from appliance import audit, db, editorial, housekeeping, previews, publishing
from appliance.actor import Actor
from appliance.content import comments, entries, entry_edits
from appliance.content.models import Entry
from appliance.errors import ConfigError, ContentError
from appliance.previews import build_job, store
from appliance.previews.models import Link, Preview, PreviewContent, PreviewFile
from appliance.queue.handlers import JobContext
from tests.building.test_pages import picture
from tests.local_site import LocalSite, stamps

ADA = Actor("ada", via="shell")


def waiting(shop: LocalSite) -> list[str]:
    """The keys of the jobs that are to build previews."""
    return [key for (key,) in db.execute("SELECT key FROM job WHERE kind = 'preview' AND state = 'pending'").fetchall()]


def build(shop: LocalSite) -> None:
    """Run the jobs that are to build previews."""
    for key in waiting(shop):
        build_job.build_preview({}, JobContext(shop.config, "preview", key, "blog", 1))
        db.execute("DELETE FROM job WHERE kind = 'preview' AND key = ?", [key])


def text(entry: Entry, path: str) -> str:
    found = store.read_file(entry.id, [path])
    return found[1].decode() if found else ""


@pytest.fixture
def draft(shop: LocalSite) -> Entry:
    return shop.save("Draft", "2026-11-02", status="draft", text="Not *yet*")


def share(shop: LocalSite, entry: Entry, **more: Any) -> str:
    return previews.share(shop.config, "blog", entry, actor=ADA, **more)[0]


def test_a_link_has_a_secret_that_is_kept_nowhere(shop: LocalSite, draft: Entry) -> None:
    secret, link = previews.share(shop.config, "", draft, actor=ADA)
    assert len(secret) == 43
    assert previews.link_url(shop.config, secret) == f"https://preview.example.org/{secret}"
    assert (link.entry, link.title, link.site, link.created_by) == (draft.id, "Draft", "blog", "ada")
    assert link.expires_at == pytest.approx(link.created_at + 7 * 86_400)
    assert (link.state, link.build) == ("active", "waiting")
    for table in ("preview_link", "preview", "job", "audit"):
        assert secret not in str(db.execute(f"SELECT * FROM {table}").fetchall())


def test_a_worker_builds_it_and_publishes_nothing(shop: LocalSite, draft: Entry) -> None:
    before = stamps(shop.docroot), shop.journal(), shop.paths()
    secret = share(shop, draft)
    assert waiting(shop) == [f"blog/{draft.id}"]
    build(shop)
    found = previews.find(secret)
    assert found is not None
    assert (found.page, found.fault, found.built) == ("2026/draft/index.html", "", found.requested)
    assert "<h1>Draft</h1><p>Not <em>yet</em></p>" in text(draft, "2026/draft/index.html")
    assert text(draft, "index.html") == "Draft;Published;"
    assert "color" in text(draft, "theme/a.css")
    assert (stamps(shop.docroot), shop.journal(), shop.paths()) == before
    assert Entry.get_by_id(draft.id).status == "draft"
    (link,) = previews.list_links(shop.config, "blog").rows
    assert (link.build, link.built_at is not None) == ("ready", True)


@pytest.mark.parametrize(
    "change",
    [
        lambda shop, draft: entry_edits.edit(draft, title="Renamed"),
        lambda shop, draft: editorial.edit_entry(shop.config, "", draft, title="Renamed", later=True),
        lambda shop, draft: shop.upload("cat.png", picture(40)),
        lambda shop, draft: publishing.publish(shop.config) and entry_edits.publish(draft),
    ],
)
def test_a_change_asks_for_a_new_build(shop: LocalSite, draft: Entry, change: Callable[[Any, Any], object]) -> None:
    secret = share(shop, draft)
    build(shop)
    change(shop, draft)
    found = previews.find(secret)
    assert found is not None
    assert found.built < found.requested
    assert waiting(shop) == [f"blog/{draft.id}"]
    build(shop)
    assert Entry.get_by_id(draft.id).title in text(draft, "2026/draft/index.html")


def test_a_change_of_another_entry_asks_for_none(shop: LocalSite, draft: Entry) -> None:
    secret = share(shop, draft)
    build(shop)
    shop.run()
    entry_edits.edit(Entry.get(Entry.title == "Published"), title="Other")
    comments.add(Entry.get(Entry.title == "Other"), "Reader", "Hello")
    found = previews.find(secret)
    assert found is not None
    assert found.built == found.requested
    assert waiting(shop) == []


def test_many_changes_make_one_build(shop: LocalSite, draft: Entry) -> None:
    share(shop, draft)
    for number in range(5):
        entry_edits.edit(draft, title=f"Draft {number}")
    assert waiting(shop) == [f"blog/{draft.id}"]
    build(shop)
    assert "Draft 4" in text(draft, "2026/draft/index.html")


def test_a_change_that_is_rolled_back_asks_for_nothing(shop: LocalSite, draft: Entry) -> None:
    secret = share(shop, draft)
    build(shop)
    with db.write(rollback=True):
        entry_edits.edit(draft, title="Never")
    found = previews.find(secret)
    assert found is not None
    assert found.built == found.requested


def test_a_build_that_is_older_than_the_last_one_changes_nothing(shop: LocalSite, draft: Entry) -> None:
    share(shop, draft)
    stale = Preview.get()
    entry_edits.edit(draft, title="Newer")
    build(shop)
    assert not store.save_build(stale, "old.html", {"old.html": b"old"})
    assert not store.save_fault(stale, "old")
    assert "Newer" in text(draft, "2026/draft/index.html")


def test_what_cannot_be_built_is_a_sentence(shop: LocalSite, draft: Entry) -> None:
    secret = share(shop, draft)
    (shop.folder / "theme" / "entry.html").write_text("{{ entry.title.nothing() }}", "utf-8")
    build(shop)
    found = previews.find(secret)
    assert found is not None
    assert "entry.html" in found.fault
    assert found.built == found.requested
    (link,) = previews.list_links(shop.config, "blog", draft).rows
    assert (link.build, link.fault) == ("failed", found.fault)


def test_files_that_are_too_large_are_left_out_and_named(
    shop: LocalSite, draft: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "LARGEST_FILE", 60_000)
    (shop.folder / "theme" / "static" / "big.bin").write_bytes(b"x" * 70_000)
    (shop.folder / "theme" / "static" / "small.bin").write_bytes(b"y" * 50_000)
    share(shop, draft)
    build(shop)
    assert store.read_file(draft.id, ["theme/big.bin"]) is None
    assert text(draft, "theme/small.bin") == "y" * 50_000
    (link,) = previews.list_links(shop.config).rows
    assert "theme/big.bin is left out" in link.fault


def test_a_revoked_link_is_found_no_more(shop: LocalSite, draft: Entry) -> None:
    first, second = share(shop, draft), share(shop, draft)
    build(shop)
    links = previews.list_links(shop.config, "blog").rows
    assert previews.revoke(shop.config, "blog", links[1].id, actor=ADA).state == "revoked"
    assert previews.find(first) is None
    assert previews.find(second) is not None
    assert PreviewFile.select().exists()
    assert previews.revoke(shop.config, "", links[0].id, actor=ADA).state == "revoked"
    assert previews.find(second) is None
    assert not PreviewFile.select().exists()  # nobody may see them any more
    assert housekeeping.preview_pruning.prune() == 0
    kept = PreviewContent.select().order_by(PreviewContent.kept_at).first().kept_at  # a build may be about to use it
    assert housekeeping.preview_pruning.next_due() == pytest.approx(kept + 3600)
    with pytest.raises(ContentError, match="There is no link"):
        previews.revoke(shop.config, "blog", 999)
    assert previews.get_link(shop.config, "blog", links[0].id).revoked_by == "ada"
    assert previews.get_link(shop.config, "blog", 999) is None


def test_an_expired_link_is_found_no_more_and_pruned(shop: LocalSite, draft: Entry) -> None:
    secret = share(shop, draft, days=1)
    build(shop)
    task = next(one for one in housekeeping.periodic_tasks(shop.config) if one.name == "previews")
    assert task.next_time() == Link.get().expires_at
    try:
        db.backend().now_at(86_400.0 + 1)
        assert previews.find(secret) is None
        assert previews.list_links(shop.config).rows[0].state == "expired"
        assert task.run() == "1 previews removed"
        assert not Preview.select().exists()
        assert not PreviewFile.select().exists()
        assert not PreviewContent.select().exists()
        assert task.next_time() is None
        db.backend().now_at(86_400.0 * 32)
        task.run()
        assert not Link.select().exists()
    finally:
        db.backend().now_at(0.0)


def test_an_entry_takes_its_preview_along(shop: LocalSite, draft: Entry) -> None:
    secret = share(shop, draft)
    build(shop)
    entries.delete(draft)
    assert previews.find(secret) is None
    assert not Link.select().exists()
    assert not PreviewFile.select().exists()
    build_job.build_preview({}, JobContext(shop.config, "preview", f"blog/{draft.id}", "blog", 1))


def test_a_link_that_is_made_again_does_not_show_an_old_build(shop: LocalSite, draft: Entry) -> None:
    share(shop, draft)
    stale = Preview.get()
    (link,) = previews.list_links(shop.config).rows
    previews.revoke(shop.config, "blog", link.id)
    db.backend().now_at(1.0)
    try:
        secret = share(shop, draft)
    finally:
        db.backend().now_at(0.0)
    store.save_build(stale, "old.html", {"old.html": b"old"})
    found = previews.find(secret)
    assert found is not None
    assert found.built < found.requested


@pytest.mark.parametrize("days", [0, 31, -1])
def test_a_link_is_valid_for_a_month_at_most(shop: LocalSite, draft: Entry, days: int) -> None:
    with pytest.raises(ContentError, match="1 to 30 days"):
        share(shop, draft, days=days)


def test_an_entry_has_so_many_links_at_most(shop: LocalSite, draft: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.previews.links.MOST_LINKS", 2)
    share(shop, draft)
    share(shop, draft)
    with pytest.raises(ContentError, match="revoke some of them"):
        share(shop, draft)


def test_nothing_is_shared_without_a_host_for_it(shop: LocalSite, draft: Entry) -> None:
    admin = shop.config.admin.model_copy(update={"preview_url": ""})
    with pytest.raises(ConfigError, match="preview_url"):
        previews.share(shop.config.model_copy(update={"admin": admin}), "blog", draft)


def test_both_acts_are_audited(shop: LocalSite, draft: Entry) -> None:
    share(shop, draft, days=3)
    (link,) = previews.list_links(shop.config).rows
    previews.revoke(shop.config, "blog", link.id, actor=Actor("grace", via="api"))
    previews.revoke(shop.config, "blog", link.id, actor=ADA)  # nothing is left to do
    rows = [row for row in audit.list_audit(audit.AuditFilter()).rows if row.action.endswith("share")]
    assert [(row.action, row.actor, row.site, row.label, str(row.subject_id)) for row in rows] == [
        ("entry.unshare", "grace", "blog", "Draft", str(draft.id)),
        ("entry.share", "ada", "blog", "Draft", str(draft.id)),
    ]
    assert json.loads(json.dumps(rows[1].after))["days"] == 3
