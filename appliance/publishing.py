"""The verbs that join the rooms: open an installation, publish its changes.

`running` has the processes that then do the work.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from peewee import PeeweeException

from appliance import db
from appliance.building import immediate
from appliance.building.answers import Answers
from appliance.building.docroot import Docroot
from appliance.building.facts import Facts
from appliance.building.loading import Place
from appliance.config import Config
from appliance.content import schedule, sites
from appliance.content.models import Site
from appliance.errors import ApplianceError, ConfigError, ContentError, DocrootAway, ThemeError
from appliance.mailing import notices
from appliance.planning import answers
from appliance.planning import planner as planning
from appliance.planning.plan import Plan, Terms, Wish
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


def publish(config: Config, chosen: Sequence[str] = (), wish: Wish | None = None) -> list[Plan]:
    """Plan the named sites (all when none is named), enqueue their jobs, and build at once what is to be.

    Args:
        config: the installation, opened.
        chosen: names of sites.
        wish: what is wanted beyond what changed. With `explain` nothing is done: the plans say what would be.

    Raises:
        ThemeError, ConfigError, DocrootError, ContentError: nothing has been planned.
    """
    wish = wish or Wish()
    loaded = themes(config, chosen)
    docroot = _docroot(config)
    plans: list[Plan] = []
    for name, theme in loaded.items():
        site = Site.get(Site.name == name)
        with suppress(_Undone), db.write():  # what is due, its jobs and the mail about it are there together or not
            schedule.turn(site)
            plans.append(planning.publish(site, theme, wish, terms(config, site, theme)))
            notices.ask(config, site)
            if wish.explain:
                raise _Undone
    if docroot and not wish.explain:
        immediate.build(config, docroot, [path for plan in plans for path in plan.at_once])
    return plans


def _docroot(config: Config) -> Docroot | None:
    """The docroot; None while a shared one is away: what is to be built at once then waits like the rest."""
    try:
        return Docroot.prepare(config)
    except DocrootAway:
        return None


class _Undone(Exception):  # noqa: N818 - not an error
    """Ends the transaction of a plan that is only looked at."""


def terms(config: Config, site: Site, theme: Theme) -> Terms:
    """On what terms the settings have a site planned."""
    made: list[Answers] = []

    def evaluate(keys: Iterable[str]) -> Mapping[str, str]:
        if not made:
            place = Place.of(site, theme)
            made.append(Answers(place, Facts(place, db.now)))
        return made[0].digests(keys)

    return Terms(config.queue.ageing, evaluate, config.deletions)


def ask(config: Config, site: Site, cause: Cause) -> None:
    """Have a worker plan what has changed on a site, at once; call it in the transaction that changes the content.

    However many ask while a planning waits, they are one job: this is how to publish what comes in floods.
    """
    request = Request(site.name, priority=_PLANNED_FIRST, scope=site.name)
    enqueue(PLAN, [request], ageing=config.queue.ageing, causes=[cause], pause=_GATHER)


@kind(PLAN, retry=RetryPolicy(hopeless=(ConfigError, ThemeError, ContentError), patient=(DocrootAway,)), apart=False)
def _plan_asked(_payload: object, errand: Errand) -> Outcome:
    """Plan the site that the job's key names."""
    plans = publish(errand.config, [errand.key])
    return "changed" if any(plan.answers.total() for plan in plans) else "unchanged"


def next_due(names: Sequence[str]) -> float | None:
    """When something on the named sites is to be published or withdrawn, or a time that templates show passes on.

    On the database's clock; in the past when that is due already, None when nothing is.
    """
    moments = [schedule.next_turn(names), answers.next_step(names)]
    return min((moment for moment in moments if moment is not None), default=None)


def publish_due(config: Config) -> int:
    """Publish and withdraw the entries that are due, and enqueue their jobs; returns how many jobs.

    Raises:
        ApplianceError: a site cannot be published; the others are.
    """
    jobs, now, faults = 0, db.now(), []
    for site in config.sites:
        due = next_due([site.name])
        if due is None or due > now:
            continue
        try:
            jobs += sum(sum(plan.answers.values()) for plan in publish(config, [site.name]))
        except ApplianceError as error:
            faults.append(error)
    if faults:
        raise faults[0]
    return jobs
