"""Publishes the changes of an installation: plans its sites and builds at once what a theme wants built at once.

The other jobs are left on the queue for the processes in `running`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from appliance import audit, db, plan_job
from appliance.actor import current
from appliance.building import publish_job
from appliance.building.docroot import Docroot
from appliance.building.key_digests import KeyDigests
from appliance.building.loaders import SiteContext
from appliance.building.template_site import TemplateSite
from appliance.config import Config
from appliance.content import schedule
from appliance.content.models import Site
from appliance.content.sites import find_site
from appliance.errors import ApplianceError, ConfigError, ContentError, DocrootAway, ThemeError
from appliance.notifications import comment_notifications
from appliance.plan_job import PLAN, enqueue_plan
from appliance.planning import dependency_keys
from appliance.planning import planner as planning
from appliance.planning.plan import Plan, PlanContext, PublishOptions
from appliance.planning.planner import StepsNeeded
from appliance.planning.step_planner import plan_in_steps
from appliance.planning.theme import Theme
from appliance.queue.enqueue import Cause, JobRequest, enqueue
from appliance.queue.handlers import JobContext, Outcome, handler
from appliance.queue.retry import RetryPolicy
from appliance.webhooks import waiting_comments

#: The kind of job that has a whole site built again. The key of the job is the name of the site.
REBUILD: Final = "rebuild"

__all__ = [
    "PLAN",
    "REBUILD",
    "enqueue_plan",
    "load_themes",
    "next_due",
    "plan_context",
    "publish",
    "publish_due",
    "request_publication",
]


def load_themes(config: Config, site_names: Sequence[str] = ()) -> dict[str, Theme]:
    """The themes of the named sites, or of all sites when none is named, by site name.

    Raises:
        ThemeError: a theme cannot be used, or a site sets something that its theme does not know.
        ConfigError: there is no such site.
    """
    settings = [config.site(name) for name in site_names] or list(config.sites)
    loaded = {s.name: Theme.load(s.theme, config.path.parent) for s in settings}
    for site in settings:
        loaded[site.name].settings(site.settings)
    return loaded


def publish(config: Config, site_names: Sequence[str] = (), options: PublishOptions | None = None) -> list[Plan]:
    """Plan the named sites, or all sites when none is named; enqueue their jobs and build what has `build = "now"`.

    Args:
        config: the installation, opened.
        site_names: names of sites.
        options: what to publish besides pending changes. With `explain`, nothing is changed and the plans give reasons.

    Raises:
        ThemeError, ConfigError, DocrootError: nothing is planned.
        ContentError: a site would lose too many files; the other sites are planned.
    """
    options = options or PublishOptions()
    themes = load_themes(config, site_names)
    docroot = _docroot(config)
    plans: dict[str, Plan] = {}
    refused: list[ApplianceError] = []
    # The site with the nearest folder gets a path, so a site above it is planned after it.
    remaining = sorted(themes, key=lambda name: -len(config.site(name).folder))
    while remaining:
        name = remaining.pop(0)
        try:
            plans[name] = _plan(config, name, themes[name], options)
        except ContentError as error:  # it would delete too much; the other sites are still planned
            refused.append(error)
            continue
        for other in _sites_to_replan(config, plans[name], options):
            if other not in remaining:
                themes |= load_themes(config, [other])
                remaining.append(other)
    if docroot and not options.explain:
        publish_job.build_now(config, docroot, [path for plan in plans.values() for path in plan.build_now])
    if refused:
        raise refused[0]
    return [plans[name] for name in themes]


def request_publication(config: Config, site: str, *, rebuild: bool = False) -> None:
    """Have a worker publish what changed on a site, or with `rebuild` every file of it.

    Raises:
        ConfigError: there is no such site.
    """
    row = find_site(config, site)
    cause = Cause("asked for", current().name)
    with db.write():
        if rebuild:
            request = JobRequest(row.name, scope=row.name)
            enqueue(REBUILD, [request], ageing=config.queue.ageing, causes=[cause])
        else:
            enqueue_plan(config, row, cause)
        audit.record("site.publish", "site", row.id, site=row.name, label=row.title, after={"rebuild": rebuild})


def _plan(config: Config, name: str, theme: Theme, options: PublishOptions) -> Plan:
    site = Site.get(Site.name == name)
    plan = Plan(name)

    def finish() -> None:
        waiting_comments.record_waiting(config, site)  # before the next line marks the changes as told
        comment_notifications.enqueue_notifications(config, site)
        if options.asked:
            _audit(site, options)

    def close() -> None:
        plan_job.remove_if_planned(site)

    with suppress(StepsNeeded):
        # Scheduled entries, their jobs and their mail commit together.
        with db.write(rollback=options.explain):
            schedule.apply_due(site)
            plan = planning.plan_site(site, theme, options, plan_context(config, site, theme))
            finish()
            if not options.explain:
                close()
        return plan
    with plan_job.hold_back(plan_job.COMMAND_DELAY), db.write():
        schedule.apply_due(site)
    return plan_in_steps(site, theme, options, plan_context(config, site, theme), finish, close)


def _audit(site: Site, options: PublishOptions) -> None:
    """Record that somebody had a site published. With `explain` the transaction is rolled back, and the row with it."""
    rebuild = options.everything and options.force
    given = {
        "everything": options.everything and not rebuild,
        "force": options.force and not rebuild,
        "patterns": list(options.patterns),
        "allow_removals": options.allow_removals,
    }
    after = {"rebuild": rebuild, **{name: value for name, value in given.items() if value}}
    audit.record("site.publish", "site", site.id, site=site.name, label=site.title, after=after)


def _sites_to_replan(config: Config, plan: Plan, options: PublishOptions) -> list[str]:
    """The sites that lost paths to the planned one. Their next plan syncs the whole site."""
    if options.explain or not plan.sites_to_replan:
        return []
    with db.write():
        planning.request_full_sync(plan.sites_to_replan)
    rows = Site.select().where(Site.id.in_(plan.sites_to_replan))
    return sorted({site.name for site in rows} & {site.name for site in config.sites})


def _docroot(config: Config) -> Docroot | None:
    """The docroot, or None while a shared one is away; what should be built at once then waits on the queue."""
    try:
        return Docroot.prepare(config)
    except DocrootAway:
        return None


def plan_context(config: Config, site: Site, theme: Theme) -> PlanContext:
    """The context in which a site is planned, from the settings."""
    cached: list[KeyDigests] = []

    def digest_keys(keys: Iterable[str]) -> Mapping[str, str]:
        if not cached:
            site_context = SiteContext.of(site, theme)
            cached.append(KeyDigests(site_context, TemplateSite(site_context, db.now)))
        return cached[0].digests(keys)

    return PlanContext(config.queue.ageing, digest_keys, config.deletions)


@handler(PLAN, retry=RetryPolicy(fatal=(ConfigError, ThemeError, ContentError), snooze_on=(DocrootAway,)), slow=False)
def _perform_plan_job(_payload: object, context: JobContext) -> Outcome:
    """Plan the site named by the key of the job."""
    plans = publish(context.config, [context.key])
    return "changed" if any(plan.enqueue_results.total() for plan in plans) else "unchanged"


@handler(
    REBUILD, retry=RetryPolicy(fatal=(ConfigError, ThemeError, ContentError), snooze_on=(DocrootAway,)), slow=False
)
def _perform_rebuild_job(_payload: object, context: JobContext) -> Outcome:
    """Have every file of the site named by the key of the job built again."""
    publish(context.config, [context.key], PublishOptions(everything=True, force=True))
    return "changed"


def next_due(names: Sequence[str]) -> float | None:
    """When something on the named sites is next due: an entry to publish or withdraw, or a step of displayed time.

    On the database's clock, and in the past if it is due already; None when nothing is.
    """
    moments = [schedule.next_due(names), dependency_keys.next_time_step(names)]
    return min((moment for moment in moments if moment is not None), default=None)


def publish_due(config: Config) -> int:
    """Publish and withdraw the entries that are due, and enqueue their jobs; return the number of jobs.

    Raises:
        ApplianceError: a site cannot be published; the others are.
    """
    jobs, now, faults = 0, db.now(), []
    for site in config.sites:
        due = next_due([site.name])
        if due is None or due > now:
            continue
        try:
            jobs += sum(sum(plan.enqueue_results.values()) for plan in publish(config, [site.name]))
        except ApplianceError as error:
            faults.append(error)
    if faults:
        raise faults[0]
    return jobs
