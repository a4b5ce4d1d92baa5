"""Indexes that hold entries, comments and jobs in the orders of their lists, so that a page is read from one of them.

They only add to what is there, or hold one column more than before: the release before goes on with them.
"""

_OVER = "state IN ('done', 'superseded', 'cancelled')"
_INDEXES = {
    "entry_list_date": ("entry", ("site_id", "status", "kind", "published_at", "id"), ""),
    "entry_list_modified": ("entry", ("site_id", "status", "kind", "modified_at", "id"), ""),
    "entry_list_title": ("entry", ("site_id", "status", "kind", "substr(title, 1, 120)", "id"), ""),
    "comment_list": ("comment", ("status", "created_at", "id"), ""),
    "comment_list_entry": ("comment", ("entry_id", "created_at", "id"), ""),
    "job_over_group": ("job", ("kind", "scope", "state", "finished_at", "id"), _OVER),
    # Jobs that ended at one moment, as many do that are deleted together, are told apart by their number.
    "job_over": ("job", ("finished_at", "id"), _OVER),
    "job_failed_at": ("job", ("finished_at", "id"), "state = 'failed'"),
    "job_key": ("job", ("key", "id"), ""),
}


def up(migrator, db):
    for name in ("job_over", "job_failed_at", "job_key"):
        db.execute_sql(f"DROP INDEX {name}")
    for name, (table, columns, condition) in _INDEXES.items():
        where = f" WHERE {condition}" if condition else ""
        parts = ", ".join(column if "(" in column else f'"{column}"' for column in columns)
        db.execute_sql(f'CREATE INDEX "{name}" ON "{table}" ({parts}){where}')
