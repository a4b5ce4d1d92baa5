"""Removing from a target takes only what is named in full: with each build of rsync at each end, however confined."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.delivery import repair
from appliance.delivery.courier import Couriers
from appliance.delivery.targets import Target
from appliance.delivery.transports import rsync
from appliance.demo.frontend import FrontEnd
from tests import rsyncs

from .conftest import Publisher, tree, use_builds
from .test_convergence import settings
from .test_courier import NAMES, until

FrontEnds = Callable[..., list[FrontEnd]]
Reach = Callable[[], Target]


#: Every way to reach a target, and every pair of builds; not each with each.
WAYS = (
    *(f"module {pair}" for pair in rsyncs.PAIRS),
    *("rrsync new-old", "rrsync old-new", "shell new-old", "local old-old", "local new-new"),
)


@pytest.fixture(params=WAYS)
def reach(request: pytest.FixtureRequest, publisher: Publisher, front_ends: FrontEnds) -> Reach:
    """Makes the target that is reached in each of the documented ways, with each build at each end."""
    access, _, pair = request.param.partition(" ")
    use_builds(request, publisher, pair)

    def start() -> Target:
        if access == "local":
            return publisher.local("copy")
        program, docroot = Path(publisher.receiving), publisher.folder / "front 0" / "docroot"
        forced = {
            "rrsync": lambda: f"'{rsyncs.rrsync(program, publisher.folder)}' -wo -munge '{docroot}'",
            "shell": lambda: f"PATH='{program.parent}':$PATH sh -c \"$SSH_ORIGINAL_COMMAND\"",
        }
        (front,) = front_ends(1, forced=forced[access]() if access in forced else None)
        return publisher.target(front.settings().model_copy(update={"access": access}))

    return start


def level(target: Target) -> list[str]:
    lines: list[str] = []
    with Couriers([target], lines.append) as couriers:
        (state,) = couriers.settle(tries=1)
    assert (state.level, state.error) == (True, None)
    return lines


def test_only_deleted_files_are_removed(publisher: Publisher, reach: Reach) -> None:
    target = reach()
    for name in ("a/b/c/page.html", "a/b/page.html", "a/stays.html", "top.html", "x/y/page.html", "was/index.html"):
        publisher.put(name, name)
    level(target)
    theirs = (
        "a/b/theirs",
        "a/b/c/.htaccess",
        "a/stays.html~",
        "top.html.bak",
        "x/y/z/theirs",
        "page.html",
        "ab/page.html",
    )
    for name in theirs:
        file = target.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("theirs")
    for name in ("a/b/c/page.html", "a/b/page.html", "top.html", "x/y/page.html", "was/index.html"):
        publisher.delete(name)
    publisher.put("was", "a file now")
    level(target)
    found = tree(target.folder)
    assert {found.pop(name) and name for name in theirs} == set(theirs)
    assert {name for name, kind in found.items() if kind} == {"a/stays.html", "was"}
    assert {name for name, kind in found.items() if not kind} == {"a", "a/b", "a/b/c", "x", "x/y", "x/y/z", "ab"}


def test_names_of_every_kind_are_removed_and_similar_ones_stay(publisher: Publisher, reach: Reach) -> None:
    target = reach()
    wild = ["f[ab].html", "f*.html", "f?.html", "back\\slash", "back\\sl*sh", "**", "***", "d*/x.html", "[!a]", "{a,b}"]
    like = ["fa.html", "fxx.html", "fx.html", "backslash", "back\\slxsh", "other", "dd/x.html", "b", "a", "d*/y.html"]
    for name in [*NAMES, *wild]:
        publisher.put(name, name)
    level(target)
    for name in like:
        (target.folder / name).parent.mkdir(exist_ok=True)
        (target.folder / name).write_text("theirs")
    for name in [*NAMES, *wild]:
        publisher.delete(name)
    level(target)
    assert {name for name, kind in tree(target.folder).items() if kind} == set(like)


def test_kept_files_are_never_removed(publisher: Publisher, reach: Reach) -> None:
    target = reach()
    for name in ("stats/old.html", "stats/stays.html", "a/b.htpasswd", "a/c.html"):
        publisher.put(name, name)
    level(target)
    publisher.delivery = publisher.delivery.model_copy(update={"keep": ["/stats/", "*.htpasswd"]})
    target = publisher.target(target.settings)
    for name in ("stats/old.html", "a/b.htpasswd", "a/c.html"):
        publisher.delete(name)
    level(target)
    assert set(tree(target.folder)) == {"stats", "stats/old.html", "stats/stays.html", "a", "a/b.htpasswd"}
    level(target)  # a spot check misses nothing of it


def test_kept_files_are_not_overwritten(publisher: Publisher, reach: Reach) -> None:
    publisher.delivery = publisher.delivery.model_copy(update={"keep": ["/stats/", "*.htpasswd", "/a/[bc] d.html"]})
    target = reach()
    theirs = ("stats/index.html", "stats/deep/page.html", "a/x.htpasswd", "a/b d.html")
    for name in theirs:
        (target.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (target.folder / name).write_text("theirs")
    ours = ("a/stats/index.html", "a/e d.html", "line\nbreak \\#101.html", "ü.html")
    for name in (*theirs, *ours, "stats/new/page.html", "a/c d.html"):
        publisher.put(name, "ours")
    lines = level(target)
    found = {name for name, kind in tree(target.folder).items() if kind}
    assert found == {*theirs, *ours}
    assert {(target.folder / name).read_text() for name in theirs} == {"theirs"}
    (told,) = (line for line in lines if "delivery.keep" in line)
    assert told.startswith(f"{target.name}: 6 not sent") and "stats/index.html" in told
    (target.folder / "ü.html").unlink()
    publisher.put("stats/index.html", "another")
    level(target)  # a spot check misses only what is missing
    assert (target.folder / "ü.html").read_text() == "ours"
    assert (target.folder / "stats/index.html").read_text() == "theirs"
    config = settings(publisher, target.settings)
    found_wrong = repair.verify(config, target.name)
    assert found_wrong.is_right, found_wrong


def test_a_file_that_is_published_again_meanwhile_is_not_removed(
    publisher: Publisher, reach: Reach, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = reach()
    publisher.put("a/b.html", "first")
    publisher.put("a/c.html", "c")
    level(target)
    real = rsync.list_files

    def select_and_build(*given: object) -> object:
        lists = real(*given)  # type: ignore[arg-type]
        publisher.write("a/b.html", "second")
        return lists

    publisher.delete("a/b.html")
    with monkeypatch.context() as patched:
        patched.setattr(rsync, "list_files", select_and_build)
        level(target)
    assert (target.folder / "a/b.html").read_text() == "first"


def test_planted_links_lead_nowhere(publisher: Publisher, reach: Reach) -> None:
    target = reach()
    outside = publisher.folder / "outside"
    (outside / "sub").mkdir(parents=True)
    for name in ("page.html", "sub/page.html"):
        (outside / name).write_text("theirs")
        publisher.put(f"a/{name}", "ours")
        publisher.put(f"b/{name}", "ours")
    publisher.put("a/stays.html", "ours")
    level(target)
    for name in ("page.html", "sub/page.html"):
        publisher.delete(f"a/{name}")
        publisher.delete(f"b/{name}")
    for planted in ("a", "b"):
        (target.folder / planted).rename(publisher.folder / f"away {planted}")
        (target.folder / planted).symlink_to(outside)
    with Couriers([target]) as couriers:
        couriers.settle(tries=1)
    assert set(tree(outside)) == {"page.html", "sub", "sub/page.html"}


def test_a_wiped_or_older_target_is_noticed_and_filled(publisher: Publisher, reach: Reach) -> None:
    target = reach()
    for name in ("a.html", "b/c.html", "b/d.html"):
        publisher.put(name, name)
    publisher.delete("b/c.html")
    level(target)
    (target.folder / "a.html").unlink()
    level(target)
    assert tree(target.folder) == tree(publisher.docroot)
    (target.folder / "b/c.html").write_text("from a backup")
    level(target)
    assert tree(target.folder) == tree(publisher.docroot)


def test_files_that_nobody_published_are_found_and_removed(publisher: Publisher, reach: Reach) -> None:
    publisher.delivery = publisher.delivery.model_copy(update={"keep": ["/kept/"]})
    target = reach()
    for number in range(30):
        publisher.put(f"{number}/index.html", "x")
    level(target)
    for name in ("extra.txt", "sub/sub/extra [1].txt", "kept/extra.txt"):
        (target.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (target.folder / name).write_text("x")
    config = settings(publisher, target.settings)
    assert set(repair.verify(config, target.name).extra) == {
        "extra.txt",
        "sub/",
        "sub/sub/",
        "sub/sub/extra [1].txt",
    }
    repair.request_repair(config, target.name, clear_strangers=True)
    with Couriers([target], config=config) as couriers:
        couriers.settle()
        until(lambda: repair.verify(config, target.name).extra == [], 10)
    assert (target.folder / "kept/extra.txt").exists()


def test_only_leftovers_of_an_interrupted_push_are_swept(publisher: Publisher, reach: Reach) -> None:
    publisher.delivery = publisher.delivery.model_copy(update={"keep": ["/kept/", ".htaccess.*"]})
    target = reach()
    long = "n" * 251 + ".css"
    pages = ("index.html", ".htaccess", "blog/page.html", f"blog/{long}", "kept/page.html", "gone/sub/page.html")
    for name in pages:
        publisher.put(name, "first")
    publisher.delete("gone/sub/page.html")
    theirs = (
        "blog/.page.html.backup", "blog/.page.html.Backup", "blog/.page.html.bak001", "blog/.page.html.OLDONE",
        "blog/.page.html.202411", "blog/.page.html.AbC1234", "blog/.page.html.Ab-123", "blog/.other.html.AbC123",
        "blog/page.html.AbC123", "blog/.~tmp~/other.html", ".htaccess.AbC123", "kept/.page.html.AbC123",
        "kept/.~tmp~/other.html", "elsewhere/.page.html.AbC123", "gone/.page.html.AbC123",
    )  # fmt: skip
    ours = (
        ".index.html.AbC123", ".~tmp~/index.html", "blog/.page.html.aB3456", "blog/.~tmp~/page.html",
        f"blog/.{long[:245]}.AbC123", "gone/sub/.~tmp~/page.html", "gone/sub/.page.html.XyZ123",
    )  # fmt: skip
    for name in (*theirs, *ours):
        (target.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (target.folder / name).write_text("half of it, or somebody's own")
    lines = level(target)
    found = {name for name, kind in tree(target.folder).items() if kind}
    assert found == {*theirs, *pages} - {"gone/sub/page.html", "kept/page.html"}  # of which one is not to be sent
    # The push itself takes the place of two that were held back; two folders in gone/ are empty then.
    assert [line for line in lines if "leftovers of" in line] == [
        f"{target.name}: {len(ours) - 2 + 2} leftovers of an interrupted push removed"
    ]


def test_a_failed_spot_check_blocks_nothing(publisher: Publisher) -> None:
    """The rsync here refuses every dry run."""
    script = publisher.folder / "no-dry-runs"
    script.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && exec rsync --version\n'
        'case "$*" in *--dry-run*) echo "refused" >&2; exit 2;; esac\nexec rsync "$@"\n'
    )
    script.chmod(0o755)
    target = publisher.local("copy")
    publisher.put("a.html", "a")
    publisher.put("b.html", "b")
    again = publisher.put("stays.html", "stays")
    level(target)
    publisher.journal(again)
    publisher.put("old.html", "old")
    level(target)
    publisher.journal(again)  # sent already: where it is then looked at whether something stands in its place
    publisher.put("a.html", "another")
    publisher.put("c.html", "c")
    publisher.delete("b.html")
    publisher.delivery = publisher.delivery.model_copy(update={"rsync": str(script)})
    lines: list[str] = []
    with Couriers([publisher.target(target.settings)], lines.append) as couriers:
        couriers.settle(tries=1)
    assert tree(target.folder) == tree(publisher.docroot)
    assert any("cannot check" in line for line in lines)
