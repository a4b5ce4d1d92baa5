"""The processes of a publishing host: workers, a schedule, and a courier if there are targets.

`drain` runs them until nothing is left to do, `run_due_jobs` until no job is due, `work` until it is asked to stop. A
process that dies is restarted, and its jobs are freed at once. A process that is over its memory limit, or was asked to
recycle, is replaced by a fresh one. All send heartbeats and survive an outage of the database. A host may run several
supervisors, each with a part of its processes; any of them frees the jobs of dead processes.
"""

from appliance.running.drain import DrainResult, drain, run_due_jobs
from appliance.running.host import rescue_dead_workers, worker_name
from appliance.running.process_mains import PARTS
from appliance.running.work import work

__all__ = ["PARTS", "DrainResult", "drain", "rescue_dead_workers", "run_due_jobs", "work", "worker_name"]
