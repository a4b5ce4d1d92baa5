"""The verbs that join the rooms: open an installation, publish its changes.

`running` has the processes that then do the work.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from peewee import PeeweeException

from appliance import db
from appliance.building.docroot import Docroot
from appliance.config import Config
from appliance.content import schedule, sites
from appliance.content.models import Site
from appliance.errors import ApplianceError, ConfigError, ThemeError
from appliance.mailing import notices
from appliance.planning import plan as planning
from appliance.planning.plan import Plan
from appliance.planning.theme import Theme
from appliance.queue.kinds import Errand, Outcome, kind
from appliance.queue.requests import Cause, Request, enqueue
from appliance.queue.retry import RetryPolicy

#: The kind of job that plans a site; its key is the site's name.
PLAN = "plan"
#: It comes before everything that is already planned.
_PLANNED_FIRST = 20
#: Seconds that changes gather in which come while a site is being planned.
_GATHER = 0.05


@contextmanager
def installation(config: Config) -> Iterator[dict[str, Site]]:
    """Open the installation: its database, brought up to date, and its sites by name; closed at the end.

    Raises:
        ConfigError: the database cannot be opened, or is none.
    """
    try:
        opened = db.connect(config)
    except (PeeweeException, OSError) as error:
        # An address may hold a password.
        name = "the server" if "://" in config.database else config.database
        told = f"database: {name} cannot be used ({error}); name another, or mend what keeps it from working"
        raise ConfigError([told], config.path) from error
    try:
        yield sites.sync(config)
    finally:
        opened.close()


def themes(config: Config, chosen: Sequence[str] = ()) -> dict[str, Theme]:
    """The themes of the named sites (all when none is named), by site.

    Raises:
        ThemeError: one cannot be used, or a site sets what its theme does not know.
        ConfigError: there is no such site.
    """
    settings = [config.site(name) for name in chosen] or list(config.sites)
    loaded = {s.name: Theme.load(s.theme, config.path.parent) for s in settings}
    for site in settings:
        loaded[site.name].settings(site.settings)
    return loaded


def publish(
    config: Config, chosen: Sequence[str] = (), *, everything: bool = False, patterns: Sequence[str] = ()
) -> list[Plan]:
    """Plan the named sites (all when none is named) and enqueue their jobs.

    Args:
        config: the installation, opened.
        chosen: names of sites.
        everything: enqueue every artifact, not only what changes may have touched.
        patterns: enqueue the artifacts whose path below the docroot matches one of these shell
        patterns, changed or not.

    Raises:
        ThemeError, ConfigError, DocrootError: nothing has been planned.
    """
    loaded = themes(config, chosen)
    Docroot.prepare(config)
    plans = []
    for name, theme in loaded.items():
        site = Site.get(Site.name == name)
        with db.write():  # what is due, its jobs and the mail about it are there together or not at all
            schedule.turn(site)
            plans.append(_plan(config, site, theme, everything, patterns))
            notices.ask(config, site)
    return plans


def ask(config: Config, site: Site, cause: Cause) -> None:
    """Have a worker plan what has changed on a site, at once; call it in the transaction that changes the content.

    However many ask while a planning waits, they are one job: this is how to publish what comes in floods.
    """
    request = Request(site.name, priority=_PLANNED_FIRST, scope=site.name)
    enqueue(PLAN, [request], ageing=config.queue.ageing, causes=[cause], pause=_GATHER)


@kind(PLAN, retry=RetryPolicy(hopeless=(ConfigError, ThemeError)), apart=False)
def _plan_asked(_payload: object, errand: Errand) -> Outcome:
    """Plan the site that the job's key names."""
    plans = publish(errand.config, [errand.key])
    return "changed" if any(plan.answers.total() for plan in plans) else "unchanged"


def publish_due(config: Config) -> int:
    """Publish and withdraw the entries that are due, and enqueue their jobs; returns how many jobs.

    Raises:
        ApplianceError: a site cannot be published; the others are.
    """
    jobs, now, faults = 0, db.now(), []
    for site in config.sites:
        due = schedule.next_turn([site.name])
        if due is None or due > now:
            continue
        try:
            jobs += sum(sum(plan.answers.values()) for plan in publish(config, [site.name]))
        except ApplianceError as error:
            faults.append(error)
    if faults:
        raise faults[0]
    return jobs


def _plan(config: Config, site: Site, theme: Theme, everything: bool, patterns: Sequence[str]) -> Plan:
    ageing = config.queue.ageing
    if patterns:
        return planning.publish_matching(site, theme, patterns, ageing=ageing, reason="asked by path")
    if everything:
        return planning.publish_all(site, theme, ageing=ageing, reason="asked for everything")
    return planning.publish_changes(site, theme, ageing=ageing)
