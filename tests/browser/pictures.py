"""Takes the pictures of the documents: every page of the dashboard, on a night on which not all is well.

    ./inv pictures

An installation with the content of the demo runs in a temporary folder. Of its front ends one is dead and another is
paused, a template of the theme is broken, and readers' comments wait. What can be seen of that is real; only the
measurements of the day before are made up, since nobody waits for a day.
"""

from __future__ import annotations

import io
import math
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, Literal

from PIL import Image
from playwright.sync_api import Browser, ViewportSize

import appliance
from appliance import db, editorial, publishing
from appliance.actor import Actor, acting
from appliance.content.models import Entry
from appliance.delivery import target_state
from appliance.delivery.targets import front_ends
from appliance.demo import sample
from appliance.demo.frontend import FrontEnd, write_known_hosts
from appliance.history.histogram import Histogram
from appliance.history.minutes import MINUTE, Minute, insert
from appliance.importing.markdown.importer import import_folder
from appliance.queue import administration
from appliance.queue.administration import JobFilter
from tests.admin_stack import AdminStack, admin_stack
from tests.browser.admin_person import add_user, person, sign_in, trusting_chromium

FOLDER: Final = Path(__file__).resolve().parents[2] / "docs/images/dashboard"
THEME: Final = Path(appliance.__file__).parent / "themes/default"
SITE: Final = "tidemark"
INES: Final = Actor("ines", "browser")
SIZES: Final[tuple[ViewportSize, ...]] = ({"width": 1280, "height": 900}, {"width": 390, "height": 844})
#: Colours of a picture. Pages have few, and files are kept small.
COLOURS: Final = 96
#: What breaks the template of archives.
BROKEN: Final = "{{ listing.readingtime.minutes }}"
NAMES: Final = ("Ruth Ekdal", "Tobias Ferrant", "Leena Aavik", "Piotr Szal")
TEXTS: Final = (
    "The gauge at the old pier showed 5.21 that morning. I have the sheet at home.",
    "Could you say which lens this was? The stars at the edge are very good.",
    "Cheap watches!!! Best price, see my page.",
    "Thank you. My class reads your tide table every Monday.",
)


@contextmanager
def bad_night(folder: Path) -> Iterator[AdminStack]:
    """Run the installation, everything in place, until the block ends."""
    theme, own = folder / "theme", folder / "own"
    shutil.copytree(THEME, theme)
    own.mkdir()
    key, known_hosts = folder / "key", folder / "known_hosts"
    fronts = [FrontEnd(folder / name, key, name) for name in ("www1", "www2", "www3", "www4")]
    delivery = {"ssh_key": str(key), "known_hosts": str(known_hosts), "connect_timeout": 2, "timeout": 6}
    site = {"name": SITE, "title": "Tidemark", "url": "https://www.example.org/", "theme": str(theme)}
    with ExitStack() as stack:
        for front in fronts:
            stack.callback(front.stop)
            front.start(http=False)
        write_known_hosts(known_hosts, fronts)
        targets = [front.settings().model_dump(exclude_defaults=True) for front in fronts]
        running = stack.enter_context(
            admin_stack(own, sites=[site], targets=targets, delivery=delivery, admin={"second_factor": []})
        )
        stack.enter_context(acting(INES))
        for name, role in (("ines", "admin"), ("tobias", "editor"), ("ruth", "moderator")):
            add_user(name, everywhere=role)
        import_folder(running.config, SITE, sample.CONTENT, source="newsroom")
        publishing.publish(running.config)
        _settle(running)
        fronts[2].stop()
        _break(running, theme)
        _fill_history()
        yield running


def _break(stack: AdminStack, theme: Path) -> None:
    """Pause a front end, break the template of archives, edit two entries, and have readers comment."""
    target_state.pause("www4")
    archive = theme / "archive.html"
    archive.write_text(archive.read_text("utf-8").replace("{% endblock %}", f"{BROKEN}\n{{% endblock %}}", 1), "utf-8")
    newest = list(
        Entry.select().where(Entry.allow_comments, Entry.status == "published").order_by(Entry.id.desc()).limit(4)
    )
    for entry in newest[:2]:
        editorial.edit_entry(stack.config, SITE, entry, title=f"{entry.title}, once more", actor=INES)
    for number, entry in enumerate(newest * 3):
        editorial.add_comment(
            stack.config, SITE, entry, TEXTS[number % 4], author=NAMES[number % 4],
            email=f"reader{number % 4}@example.org", status="pending" if number < 9 else "approved",
        )  # fmt: skip
    stack.await_that(lambda: administration.count(JobFilter(states=["failed"])).total() > 3)


def _settle(stack: AdminStack) -> None:
    """Wait until everything is published, and on every front end."""
    stack.await_that(lambda: not administration.count(JobFilter(states=["pending", "running"])), 180)
    targets = front_ends(stack.config)
    stack.await_that(lambda: all(state.level for state in target_state.read_all(targets)), 180)


def _fill_history() -> None:
    """Make up the measurements of a day: quiet at night, busy by day."""
    dice, now = random.Random(4), int(db.now()) // MINUTE * MINUTE
    with db.write():
        db.execute("DELETE FROM measured_minute")
        for back in range(1, 1441):
            at = now - MINUTE * back
            busy = 0.5 - 0.5 * math.cos(math.tau * (at % 86_400) / 86_400)
            count = int(dice.expovariate(1 / (2 + 30 * busy)))
            made = [_spread(dice, min(count, 40), middle) for middle in (0.031, 0.11, 0.17)]
            insert("", Minute(at, count + count // 6, count // 6, count, 0, 0, *made))


def _spread(dice: random.Random, count: int, middle: float) -> Histogram:
    made = Histogram()
    for _ in range(count):
        made.add(middle * math.exp(dice.gauss(0, 0.5)))
    return made


def pages() -> dict[str, str]:
    """Return the paths of the pages by the names of their pictures."""
    failed = administration.find(JobFilter(states=["failed"]), limit=1)[0]
    return {
        "overview": "/",
        "jobs": "/jobs",
        "failed-jobs": "/jobs?q=state:failed+template:archive.html",
        "job": f"/jobs/{failed.id}",
        "failures": "/failures",
        "targets": "/targets",
        "target": "/targets/www3",
        "page": f"/pages?path={failed.key}",
        "comments": "/comments",
        "processes": "/processes",
        "schedule": "/schedule",
        "settings": "/settings",
        "audit": "/audit",
        "users": "/users",
    }


def take(browser: Browser, stack: AdminStack, folder: Path) -> None:
    """Take a picture of each page, in each size and appearance."""
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for scheme in schemes:
        for size in SIZES:
            with person(browser, stack, color_scheme=scheme, viewport=size) as page:
                sign_in(page, "tobias" if "--editor" in sys.argv else "ines")
                for name, path in pages().items():
                    page.goto(path)
                    page.wait_for_load_state("networkidle")
                    picture = Image.open(io.BytesIO(page.screenshot(full_page=size["width"] < 1000)))
                    few = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
                    few.save(folder / f"{name}-{scheme}-{size['width']}.png", optimize=True)


def main() -> None:
    """Take all pictures anew."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="night-") as folder,
        bad_night(Path(folder)) as stack,
        trusting_chromium(stack) as browser,
    ):
        take(browser, stack, FOLDER)
    print(f"{len(list(FOLDER.glob('*.png')))} pictures in {FOLDER}")


if __name__ == "__main__":
    main()
