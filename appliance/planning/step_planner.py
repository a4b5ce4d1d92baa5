"""Plans a whole site in short transactions, so that nobody who writes waits for long, at any size.

Guarantees that a plan which is interrupted between two of them is taken up again by the next plan of the site, whoever
makes it, and that nothing is lost by that:

- The changes are taken first, and count as planned only when their jobs are enqueued.
- What the site should have is written first. Nothing is marked as unwanted before all of that is written, the removal
  guard has agreed, and what later changes may have moved meanwhile is set aside for the next plan.
- The number of the plan counts from the step in which everything is invalidated. What is built before that is built
  again, since it may have read one thing from before a step and another from after it.
- Jobs are enqueued last. What is invalidated and has no job is enqueued by the next plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from appliance import db
from appliance.content.models import Site
from appliance.planning import dependency_keys, enqueueing
from appliance.planning.changeset import (
    ChangeSet,
    causes_of_taken,
    count_as_planned,
    summary,
    take_in_steps,
    taken_changes,
)
from appliance.planning.enqueueing import Enqueuer
from appliance.planning.plan import Plan, PlanContext, PublishOptions
from appliance.planning.planner import LastState, Planner, load_last_state
from appliance.planning.steps import ShortSteps
from appliance.planning.theme import Theme
from appliance.queue.triggers import Cause


def plan_in_steps(
    site: Site,
    theme: Theme,
    options: PublishOptions,
    context: PlanContext,
    finish: Callable[[], None],
    close: Callable[[], None],
) -> Plan:
    """Bring the artifacts of a whole site in line with its content; enqueue those that are invalidated or requested.

    Args:
        site: the site; not inside a transaction, or all steps are parts of it.
        theme: its theme.
        options: what to publish besides pending changes; not `explain`.
        context: what planning needs to know.
        finish: called in the step from which on the plan counts.
        close: called in the last step.

    Raises:
        ContentError: the plan would delete more than is allowed; nothing is deleted, and the plan stays open.
        PlanTaken: this process was so slow that another one has taken the plan over.
    """
    steps = ShortSteps(site)
    try:
        return StepPlanner(site, theme, options, context, steps).run_steps(finish, close)
    except BaseException:
        steps.let_go()
        raise


class StepPlanner(Planner):
    """One plan of a whole site."""

    steps: ShortSteps

    def _begin(self) -> LastState:
        if self.steps.is_resumed:  # what the process before came across does not count
            self.steps.update("plan = ?", [0], "site_id = ? AND plan = ?", [self.site.id, self.steps.number])
        return load_last_state(self.site)

    def _take_changes(self) -> tuple[ChangeSet, list[Cause]]:
        number = self.steps.number or 0
        take_in_steps(self.site, number, self.steps)
        return summary(self._parts()), causes_of_taken(self.site, number)

    def _parts(self) -> Iterable[ChangeSet]:
        return (ChangeSet.from_changes(some) for some in taken_changes(self.site, self.steps.number or 0))

    def _changesets(self) -> Iterable[ChangeSet]:
        """What changed in the entries, in parts; nothing when nothing has been built that could show it."""
        built = "SELECT 1 FROM artifact WHERE site_id = ? AND reads IS NOT NULL LIMIT 1"
        return self._parts() if db.execute(built, [self.site.id]).fetchone() else ()

    def run_steps(self, finish: Callable[[], None], close: Callable[[], None]) -> Plan:
        """Make the plan."""
        self.is_structural = True
        self.displaced = self._sync_site().displaced
        if self.steps.had_displaced:
            self.invalidation.invalidate("a plan was interrupted", "a.wanted")
        self._invalidate()
        self._invalidate_requested()
        self._check_deletions()
        with self.steps.write():
            dependency_keys.store_digests(self.site, self.changed_keys)
            self._save_state()
            finish()
        self._enqueue()
        count_as_planned(self.site, self.number, self.steps)
        with self.steps.write():
            self.steps.close()
            close()
        return self.plan

    def _enqueue(self) -> None:
        enqueuer = Enqueuer(self.site, self.context.ageing, self._causes())
        self.plan.enqueue_results += enqueuer.enqueue_in_steps(
            self.number, self.steps, everything=self.options.everything, stale=self.steps.is_resumed
        )
        for some in db.chunks(self.requested_paths):
            with self.steps.write():
                self.plan.enqueue_results += enqueuer.enqueue_paths(some)
        self.plan.build_now = enqueueing.build_now_paths(self.site, self.number)
