"""The rights of the admin application's role on PostgreSQL, table by table.

Guarantees that whoever breaks into the admin application can neither change the audit, nor read the key that signs
readers' tokens, nor touch what only publishing needs, and that a new table is nobody's until it has a row here.

The role is made by whoever sets up the server; without it there is nothing to grant. Rights are given anew in the
transaction that migrates, since tables come and go with releases.
"""

from __future__ import annotations

from typing import Final

from appliance import db

#: The role of the admin application.
ROLE: Final = "appliance_admin"

_READ: Final = ("SELECT",)
_ADD: Final = ("SELECT", "INSERT")
_CHANGE: Final = ("SELECT", "INSERT", "UPDATE", "DELETE")
_NOTHING: Final = ()

#: The rights on each table. SELECT … FOR UPDATE needs UPDATE as well.
GRANTS: Final[dict[str, tuple[str, ...]]] = {
    # Never changed, by nobody.
    "audit": _ADD,
    # The key that signs readers' tokens, which the intake alone needs.
    "secret": _NOTHING,
    # Versions of files that a publishing process is about to publish.
    "reservation": _NOTHING,
    # Where planning counted entries, how many it counted, and where pages of listings begin.
    **dict.fromkeys(("listing_page", "listing_total", "placement"), _NOTHING),
    "schema_migration": _READ,
    # Users, sessions and tokens.
    **dict.fromkeys(
        ("account", "challenge", "entry_owner", "known_network", "one_time_link", "passkey", "recovery_code",
         "request_key", "role_grant", "session", "sign_in_failure", "token"),
        _CHANGE,
    ),
    # Content.
    **dict.fromkeys(
        ("alias", "author", "asset", "category", "comment", "comment_ban", "comment_closing", "comment_decision",
         "comment_origin", "entry", "entry_asset", "entry_author", "entry_category", "entry_tag", "reply_notice",
         "search_document", "search_stale", "search_state", "tag"),
        _CHANGE,
    ),
    "change": _ADD,
    "site": ("SELECT", "UPDATE"),
    "ping": _READ,
    # Sources are asked for, and noted as asked.
    "source": ("SELECT", "UPDATE"),
    "source_pull": _READ,
    # What the daemons say of their settings.
    "settings_report": _READ,
    # The queue: what is enqueued, retried and deleted; and the processes, of which its own workers are some.
    **dict.fromkeys(("acted_job", "job", "job_act", "job_trigger", "process", "throttle"), _CHANGE),
    **dict.fromkeys(("shared_trigger", "trigger_set"), _CHANGE),
    "job_attempt": _READ,
    # Asked for; workers build what they show.
    "comparison": ("SELECT", "INSERT", "UPDATE"),
    "periodic": ("SELECT", "INSERT", "UPDATE"),
    "periodic_run": _READ,
    # Targets are paused, resumed and asked to check themselves.
    **dict.fromkeys(("cursor", "standing"), ("SELECT", "INSERT", "UPDATE")),
    # How far each target is, what was measured of that, and the disks of hosts.
    **dict.fromkeys(("confirmation", "disk_usage", "lease", "measured_minute"), _READ),
    "measured_origin": _NOTHING,
    # What publishing processes write down about targets.
    **dict.fromkeys(("cursor_sample", "lag_sample", "page_look", "target_progress"), _READ),
    # Webhooks are enabled again, events come about, and hooks are noted.
    "webhook": ("SELECT", "INSERT", "UPDATE"),
    "webhook_event": _ADD,
    "hook_receipt": _CHANGE,
    # Answers to requests that are repeated, which it also forgets.
    "request_key": _CHANGE,
    **dict.fromkeys(("webhook_cursor", "webhook_episode"), _READ),
    # Links to previews are made, opened and revoked; workers build what they show.
    "preview": _CHANGE,
    "preview_link": ("SELECT", "INSERT", "UPDATE"),
    **dict.fromkeys(("preview_content", "preview_file"), _READ),
    # What is planned, built and sent is read, to show how far a change is.
    **dict.fromkeys(
        ("answer", "artifact", "move", "open_plan", "planned", "publication", "reading", "recipe", "recipe_key"), _READ
    ),
}  # fmt: skip


def grant() -> bool:
    """Give the role its rights and take all others from it; returns whether there is such a role. In a transaction."""
    if db.execute("SELECT 1 FROM pg_roles WHERE rolname = ?", [ROLE]).fetchone() is None:
        return False
    (name,) = db.execute("SELECT quote_ident(current_database())").fetchone()
    db.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {ROLE}")
    db.execute(f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {ROLE}")
    db.execute(f"GRANT CONNECT ON DATABASE {name} TO {ROLE}")
    present = set(db.database.get_tables())
    for table, rights in GRANTS.items():
        if rights and table in present:
            db.execute(f'GRANT {", ".join(rights)} ON "{table}" TO {ROLE}')
    for sequence, table in db.execute(_SEQUENCES).fetchall():
        if "INSERT" in GRANTS.get(table, ()):
            db.execute(f"GRANT USAGE ON SEQUENCE {sequence} TO {ROLE}")
    return True


_SEQUENCES: Final = """
SELECT quote_ident(s.relname), t.relname FROM pg_class s
JOIN pg_depend d ON d.objid = s.oid AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
JOIN pg_class t ON t.oid = d.refobjid
WHERE s.relkind = 'S' AND s.relnamespace = 'public'::regnamespace
"""
