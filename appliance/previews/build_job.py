"""The job that builds a preview, in a worker.

Guarantees that a visit never shows half a build, and that a build which is killed is done again: its files are saved in
one transaction, and the job ends after it. What a person has to mend is saved as a sentence that visits show.
"""

from __future__ import annotations

from appliance import db
from appliance.content.models import Entry, Site
from appliance.db import NOW
from appliance.editorial.preview import render_preview
from appliance.errors import ApplianceError, UploadElsewhere
from appliance.preview_requests import PREVIEW
from appliance.previews import store
from appliance.previews.models import Link, Preview
from appliance.queue.handlers import JobContext, Outcome, handler
from appliance.queue.retry import RetryPolicy

_RETRY = RetryPolicy(short_snooze_on=(UploadElsewhere,))
_FAILED = "The preview cannot be built; the log of the worker and `jobs.list` say why."


@handler(PREVIEW, retry=_RETRY, slow=False)
def build_preview(_payload: object, context: JobContext) -> Outcome:
    """Build the preview of the entry that the key of the job names, if a link still shows it.

    Raises:
        UploadElsewhere: another publishing host has the bytes of a picture and will take the job.
        Exception: a fault of the code, which is also saved as one of the preview.
    """
    with db.snapshot():
        found = _find(int(context.key.rpartition("/")[2]))
    if found is None:
        return "unchanged"
    preview, entry, site = found
    try:
        rendered = render_preview(context.config, site, entry)
        saved = store.save_build(preview, rendered.page, rendered.files)
    except UploadElsewhere:
        raise
    except ApplianceError as error:
        saved = store.save_fault(preview, str(error))
    except Exception as error:
        if not db.is_unavailable(error):
            store.save_fault(preview, _FAILED)
        raise
    return "changed" if saved else "unchanged"


def _find(number: int) -> tuple[Preview, Entry, Site] | None:
    """The preview of an entry that a link still shows."""
    preview = Preview.get_or_none(Preview.entry == number)
    shown = db.execute(
        f"SELECT 1 FROM {Link._meta.table_name} WHERE entry_id = ? AND revoked_at IS NULL AND expires_at > {NOW}"
        " LIMIT 1",
        [number],
    ).fetchone()
    if preview is None or shown is None:
        return None
    return preview, Entry.get_by_id(number), Site.get_by_id(preview.site_id)
