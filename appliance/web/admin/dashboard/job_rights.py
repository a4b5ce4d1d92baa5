"""The right that each act on jobs needs."""

from __future__ import annotations

from typing import Final

from appliance.queue.job_acts import Act

#: The name of an action of the table of rights, by the act.
RIGHTS: Final[dict[Act, str]] = {
    "delete": "job.delete",
    "retry": "job.retry",
    "run": "job.prioritise",
    "prioritise": "job.prioritise",
}
