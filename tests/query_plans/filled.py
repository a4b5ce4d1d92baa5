"""An installation in which every table that grows is long enough that query planners choose as for a huge one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from appliance import clock, db

#: Tables that people fill by hand or that the settings bound: a row for a site, a user, a host, a target and the like.
SMALL: Final = frozenset({
    "account", "answer", "author", "category", "comment_ban", "comment_closing", "cursor", "disk_usage", "job_act",
    "lease", "measured_origin", "passkey", "periodic", "planned", "process", "recovery_code", "role_grant",
    "schema_migration", "search_state", "secret", "settings_report", "site", "source", "standing",
    "target_progress", "token", "webhook", "webhook_cursor", "webhook_episode",
})  # fmt: skip

_NUMBERS: Final = "WITH RECURSIVE n (i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) "
#: By table: its columns, what is selected for row `i` of `{n}`, and as many rows as a fraction of `{n}`.
_ROWS: Final[dict[str, tuple[str, str, float]]] = {
    "category": (
        "site_id, parent_id, name, slug, path, description, always",
        "1, CASE WHEN i > 5 THEN 1 + i % 5 END, 'Category ' || i, 'c' || i, 'c' || i, '', false", 20,
    ),
    "author": ("site_id, name, slug, email, url, about", "1, 'Author ' || i, 'a' || i, '', '', ''", 8),
    "account": (
        "name, email, former_email, display, password, totp_step, handle, created_at",
        "'user' || i, 'user' || i || '@x.example', '', '', '', 0, 'h' || i, 1", 500,
    ),
    "tag": ("site_id, name, slug", "1, 'Tag ' || i, 'tag-' || i", 0.05),
    "entry": (
        "site_id, kind, status, title, slug, folder, published_at, modified_at, unpublish_at, day, week, format, text,"
        " html, excerpt, summary, late_bound, allow_comments, extra, source, source_path, source_digest, sanitised",
        "1, CASE WHEN i % 50 = 0 THEN 'page' ELSE 'entry' END,"
        " CASE WHEN i % 40 = 1 THEN 'draft' WHEN i % 400 = 2 THEN 'scheduled' ELSE 'published' END, 'Title ' || i,"
        " 'slug-' || i, '', 1500000000 + i * 600, 1500000000 + i * 600, CASE WHEN i % 500 = 3 THEN 4000000000 END,"
        " '20' || (10 + i % 10) || '-' || (10 + i % 3) || '-' || (10 + i % 19),"
        " '20' || (10 + i % 10) || '-' || (10 + i % 3) || '-' || (10 + i % 19),"
        " 'markdown', 'The text', '<p>The text</p>', '', '', false, true, '{{}}', 'folder', 'posts/' || i || '.md',"
        " 'd', true", 1,
    ),
    "entry_author": ("entry_id, author_id, position, live_at", "i, 1 + i % 8, 0, 1500000000 + i * 600", 1),
    "entry_category": ("entry_id, category_id, is_primary, live_at", "i, 1 + i % 20, true, 1500000000 + i * 600", 1),
    "entry_tag": (
        "entry_id, tag_id, position, live_at", "i, 1 + i % CAST({n} * 0.05 AS INT), 0, 1500000000 + i * 600",
        1,
    ),
    "entry_owner": ("entry_id, user_id", "i, 1 + i % 500", 0.5),
    "comment": (
        "entry_id, parent_id, status, author_name, author_email, author_url, text, html, created_at",
        "1 + i % CAST({n} AS INT), CASE WHEN i % 9 = 8 THEN i - 1 END, CASE WHEN i % 100 = 0 THEN 'pending'"
        " WHEN i % 7 = 0 THEN 'spam' ELSE 'approved' END, 'Reader', 'reader' || (i % 500) || '@x.example', '',"
        " 'A comment', '<p>A comment</p>', {at}", 1,
    ),
    "comment_origin": (
        "comment_id, submission, address, network, user_agent, referrer, reason, created_at, text_digest",
        "i, 's' || i, '192.0.2.1', '192.0.' || (i % 250) || '.0/24', '', '', '', {at}, 't' || (i / 2)",
        1,
    ),
    "comment_decision": (
        "act, site_id, comment_id, before, after, made_by, made_at, content, author_email, network",
        "'act' || (i / 3), 1, i, 'pending', 'approved', 'user1', {at},"
        " CASE WHEN i % 50 = 0 THEN '{{}}' ELSE '' END, 'reader' || (i % 500) || '@x.example',"
        " '192.0.' || (i % 250) || '.0/24'", 1,
    ),
    "reply_notice": (
        "comment_id, email, created_at, confirmed_at, asked_at",
        "i, 'reader' || (i % 500) || '@x.example', {at}, {at}, {at}", 0.3,
    ),
    "ping": ("entry_id, title, url, blog_name, ip, text, at", "i, '', '', '', '', '', i", 0.5),
    "asset": (
        "site_id, entry_id, path, digest, size, media_type",
        "1, i, 'pictures/' || i || '.png', 'd' || i, 1000, 'image/png'", 0.5,
    ),
    "entry_asset": ("entry_id, asset_id", "i, i", 0.5),
    "alias": ("site_id, entry_id, path", "1, i, 'old/' || i", 0.5),
    "change": (
        "site_id, at, actor, what, subject, subject_id, entry_id, planned, told, aspects, was",
        "1, {at}, 'user1', 'entry edited', 'entry', i, i, i < {n} - 10, i < {n} - 10, -1, ''", 1,
    ),
    "artifact": (
        "site_id, path, type, template, subject, period, page, per_page, is_permalink, priority, every, wanted, plan,"
        " digest, size, version, build, marked, built, recipe, shown, reads",
        "1, 'posts/' || i || '/index.html', CASE WHEN i % 10 = 0 THEN 'category' WHEN i % 100 = 1 THEN 'index'"
        " WHEN i % 100 = 2 THEN 'sitemap' WHEN i % 50 = 3 THEN 'redirect' WHEN i % 50 = 4 THEN 'page' WHEN i % 20 = 5"
        " THEN 'asset' WHEN i % 50 = 6 THEN 'static' WHEN i % 50 = 7 THEN 'monthly' ELSE 'entry' END, 'entry.html',"
        " CASE WHEN i % 10 = 0 THEN 1 + i % 20"
        " WHEN i % 100 < 3 OR i % 50 = 6 OR i % 50 = 7 THEN NULL ELSE i END, '',"
        " CASE WHEN i % 10 = 0 THEN i / 10 ELSE 1 END,"
        " CASE WHEN i % 10 = 0 THEN 10 ELSE 0 END, i % 10 <> 0, 10, 0, i % 100 <> 5, 2, 'd' || i, 12000,"
        " 1500000000 + i, 'queue', 1 + i / 20, CASE WHEN i % 200 = 7 THEN 0 ELSE 1 + i / 20 END, 1 + i % 50, 's',"
        " 'r'", 1,
    ),
    "recipe": ("site_id, digest", "1, 'd' || i", 50),
    "recipe_key": ("recipe_id, key", "1 + i % 50, 'template:' || (i / 50)", 500),
    "answer": ("site_id, key, digest", "1, 'template:' || i, 'd'", 100),
    "reading": ("artifact_id, kind, subject, aspects", "i, CASE WHEN i % 20 = 0 THEN 'f' ELSE 'e' END, i, 3", 1),
    "move": ("site_id, path, type, subject", "1, 'former/' || i, 'entry', i", 0.5),
    "reservation": ("path, version", "'theirs/' || i, 1", 0.5),
    "job": (
        "kind, key, scope, priority, rank, state, outcome, every, run_at, created_at, claimed_at, finished_at, worker,"
        " attempt, failures, lease_until, triggers, reason, answer, error_class, error_message, fault",
        "CASE WHEN i % 30 = 0 THEN 'mail' ELSE 'publish' END, 'posts/' || i || '/index.html', 'blog',"
        " i % 5 * 10, {at} - i % 5 * 600,"
        " CASE WHEN i % 100 = 1 THEN 'failed' WHEN i % 20 = 2 THEN 'pending' WHEN i % 100 = 3 THEN 'superseded'"
        " WHEN i % 100 = 4 THEN 'cancelled' WHEN i < 10 THEN 'running' ELSE 'done' END, 'changed',"
        " CASE WHEN i % 50 = 0 THEN 60 ELSE 0 END, {at}, {at},"
        " CASE WHEN i % 20 <> 2 THEN {at} END, CASE WHEN i % 20 <> 2 AND i > 9 THEN {at} END,"
        " CASE WHEN i % 20 <> 2 THEN 'here:' || (i % 4) END, 1, 0, CASE WHEN i < 10 THEN 4000000000 END, 1,"
        " 'entry edited', 'added', CASE WHEN i % 100 = 1 THEN 'BuildError' END, CASE WHEN i % 100 = 1 THEN 'no' END,"
        " CASE WHEN i % 100 = 1 THEN 'group' || (i % 7) END", 1,
    ),
    "job_trigger": (
        "job_id, reason, actor, change_id, first_at, last_at, times", "i, 'entry edited', 'user1', i, i, i, 1",
        1,
    ),
    "job_attempt": (
        "job_id, number, times, worker, due_at, started_at, ended_at, result, error_class, error_message, about",
        "i, 0, 1, 'here:1', i, i, i, 'failed', 'BuildError', 'no', 'entry.html'", 1,
    ),
    "job_act": ("act, actor, at, form, number, result", "'retry', 'user1', i, 'f' || i, 1, '{{}}'", 50),
    "acted_job": ("act_id, job, state", "1 + i % 50, i, 'failed'", 1),
    "throttle": ("kind, key, until, since", "'publish', 'posts/' || i || '/index.html', {at} + 86400, {at}", 0.5),
    "publication": (
        "path, op, version, digest, size, origin, at, job",
        "'posts/' || (i % CAST({n} * 0.7 AS INT)) || '/index.html', CASE WHEN i % 50 = 0 THEN 'delete' ELSE 'put' END,"
        " i, 'd', 100, CASE WHEN i % 2 = 0 THEN 'here' ELSE 'there' END, {at}, i", 1,
    ),
    "confirmation": (
        "target, origin, after, publication, at", "'front' || (i % 4), 'here', i, i + 1, {at}", 1
    ),
    "cursor_sample": ("target, origin, publication, at", "'front' || (i % 4), 'here', i, {at}", 1),
    "lag_sample": (
        "target, at, lag, waiting, paused, failing",
        "'front' || (i % 4), {now} - ({n} - i) * 0.1, 1, 1, false, false", 1,
    ),
    "measured_minute": (
        "at, site, done, unchanged, published, failed, pending, to_published, to_everywhere, overall",
        "{now} - ({n} - i) / 2 * 60, CASE WHEN i % 2 = 0 THEN 'blog' ELSE '' END, 1, 1, 1, 1, 1, '', '', ''", 1,
    ),
    "comparison": ("path, requested_at, host, result, message", "'posts/' || i, {at}, 'here', 'same', ''", 0.5),
    "page_look": (
        "path, target, found, publication, host, at", "'posts/' || i, 'front1', 'same', i, 'here', {at}", 0.5
    ),
    "audit": (
        "id, at, actor, via, address, request, token, site, action, subject, subject_id, label, previous, digest",
        "100 + i, {at}, 'user' || (i % 20), 'shell', '', '', '', 'blog', 'entry.edit', 'entry',"
        " CAST(i AS TEXT), 'Title', 'd' || (i - 1), 'd' || i", 1,
    ),
    "session": (
        "id, user_id, digest, factors, address, agent, created_at, used_at, confirmed_at",
        "i, 1 + i % 500, 'd' || i, '', '', '', {at}, {at}, {at}", 0.5,
    ),
    "challenge": ("digest, purpose, user_id, network, created_at", "'d' || i, 'sign-in', 1 + i % 500, '', {at}", 0.5),
    "one_time_link": (
        "user_id, purpose, digest, created_at, expires_at", "1 + i % 500, 'reset', 'd' || i, {at}, {at} + 86400",
        0.5,
    ),
    "sign_in_failure": (
        "kind, account, network, at", "'password', 'user' || i, '192.0.' || (i % 250) || '.0/24', {at}",
        0.5,
    ),
    "known_network": ("user_id, network, used_at", "1 + i % 500, 'net' || i, {at}", 0.5),
    "request_key": ("user_id, key, digest, claimed_at", "1 + i % 500, 'k' || i, 'd', {at}", 0.5),
    "preview": (
        "entry_id, site_id, requested, built, page, fault, left_out", "i, 1, 1, 1, 'index.html', '', ''", 0.5
    ),
    "preview_content": ("digest, content, kept_at", "'d' || i, CAST('x' AS {bytes}), {at}", 0.5),
    "preview_file": ("preview_id, path, digest", "i, 'index.html', 'd' || i", 0.5),
    "preview_link": (
        "digest, entry_id, site_id, created_by, created_at, expires_at, revoked_by",
        "'d' || i, i, 1, 'user1', {at}, {at} + 86400, ''", 0.5,
    ),
    "source_pull": (
        "source_id, first_at, started_at, ended_at, times, outcome, revision, error, report",
        "1, i, i, i, 1, 'done', '', '', ''", 0.5,
    ),
    "hook_receipt": ("source, mark, at", "'blog/folder', 'm' || i, {at}", 0.5),
    "webhook_event": ("event, topic, site, data, at", "'published', 't' || (i % 100), 'blog', '{{}}', {at}", 0.5),
    "placement": (
        "entry_id, site_id, day, week, authors, categories, tags", "i, 1, '2026-01-01', '2026-01-01', '1', '1', '1'", 1
    ),
    "listing_total": ("site_id, type, subject, period, entries", "1, 'tag', i, '', 1", 1),
    "trigger_set": ("at", "{at}", 1),
    "shared_trigger": ("trigger_set_id, reason, actor, times", "i, 'entry edited', 'user1', 1", 1),
    "search_document": ("entry_id, number, site_id, words", "i, i, 1, 'harbour' || i", 1),
}  # fmt: skip


def statements(number: int, *, server: bool) -> Iterator[str]:
    """The statements that write so many rows into each large table of an empty database, on PostgreSQL or SQLite."""
    yield (
        "INSERT INTO site (name, title, url, folder, description, theme, language, timezone, week_starts,"
        " empty_archives, comment_endpoint, settings)"
        " VALUES ('blog', 'A Blog', 'https://blog.example/', '', '', '', 'en', 'UTC', 'monday', false, '', '{}')"
    )
    yield (
        "INSERT INTO source (site_id, name, revision, place, outcome, unfinished)"
        " VALUES (1, 'folder', '', '', 'done', false)"
    )
    now = int(clock.now())
    for table, (columns, values, share) in _ROWS.items():
        rows = int(share if share > 1 else share * number)
        chosen = values.format(
            n=number, now=now, at=f"({now} - ({number} - i) / 10)", bytes="BYTEA" if server else "BLOB"
        )
        yield f"INSERT INTO {table} ({columns}) {_NUMBERS.format(rows=rows)}SELECT {chosen} FROM n"


def fill(number: int, *, analyze: bool = True) -> None:
    """Write so many rows into each large table of the open, empty database, and let it learn of them."""
    server = "Postgres" in type(db.backend()).__name__
    for statement in statements(number, server=server):
        with db.write():
            db.execute(statement)
    if analyze:
        db.execute("VACUUM ANALYZE" if server else "ANALYZE")


def grows(table: str) -> bool:
    """Whether a table grows with what an installation does and holds."""
    return table not in SMALL and not table.startswith(("search_index", "sqlite_"))
