"""The processes of a publishing host: workers, and a courier when there are targets.

`drain` runs them until nothing is left to do; `work` until it is told to stop. A worker that dies is started
again, and the jobs it held are freed at once.
"""

from appliance.running.draining import Drained, drain
from appliance.running.host import rescue_dead, worker_name
from appliance.running.working import work

__all__ = ["Drained", "drain", "rescue_dead", "work", "worker_name"]
