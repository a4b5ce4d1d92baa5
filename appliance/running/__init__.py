"""The processes of a publishing host: workers, a schedule, and a courier when there are targets.

`drain` runs them until nothing is left to do, `work_off` until nothing is due, `work` until it is told to stop. A
process that dies is started again, and the jobs it held are freed at once; one that has become too large, or was asked
to, is followed by a fresh one. All beat in the database and outlive its absence. A host may have several supervisors at
once, each with a part of its processes: what one's dead held, any of them frees.
"""

from appliance.running.draining import Drained, drain, work_off
from appliance.running.host import rescue_dead, worker_name
from appliance.running.mains import PARTS
from appliance.running.working import work

__all__ = ["PARTS", "Drained", "drain", "rescue_dead", "work", "work_off", "worker_name"]
