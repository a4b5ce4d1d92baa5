"""The audit: a row for everything that a person or a program of theirs did, in the transaction that did it.

Guarantees that what is committed has its rows and that what is rolled back has none; that nothing deletes or changes a
row; and that `verify` finds the first row that somebody changed, removed, inserted or moved by other means, since each
row holds the digest of the row before it.

    record ─► at the end of the outermost transaction, under a lock that all take last: the next rows of the chain
"""

from __future__ import annotations

from appliance.audit.queries import (
    ANYTHING,
    AuditFilter,
    AuditRow,
    all_rows,
    export,
    export_file,
    find_row,
    list_audit,
    list_oldest,
)
from appliance.audit.recording import record
from appliance.audit.values import changed_values, mask_email, mask_network
from appliance.audit.verification import Head, Verification, parse_head, read_head, verify

__all__ = [
    "ANYTHING", "AuditFilter", "AuditRow", "Head", "Verification", "all_rows", "changed_values", "export",
    "export_file", "find_row", "list_audit", "list_oldest", "mask_email", "mask_network", "parse_head", "read_head",
    "record", "verify",
]  # fmt: skip
