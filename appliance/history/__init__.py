"""Measurements by minute: what was published, and how long it took from a change until every front end had it.

Guarantees that a minute is measured once, after it has ended, whichever host does it and however late; and that every
number is read from the queue, the journal and the cursors, so that restarts and further processes make none wrong.

Latencies are kept as histograms, which can be added up over minutes and sites; `histogram` says how exact they are.
"""

from appliance.history.disks import Disk
from appliance.history.minutes import Minute, last_minute, minutes

__all__ = ["Disk", "Minute", "last_minute", "minutes"]
