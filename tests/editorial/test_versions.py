"""Expected versions: of two editors who read the same thing, the slower one is refused and told who was faster."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance import clock, db, editorial
from appliance.actor import Actor
from appliance.config import Config
from appliance.content import sites
from appliance.content.models import Asset, Comment, Entry
from appliance.errors import ContentError, EditConflict
from tests.local_site import LocalSite, archive, index, local_site

MANIFEST = index("index.html") + archive("entry", "{year}/{slug}.html") + archive("tag", "tag/{tag}.html")
ADA, BOB = Actor("ada", via="browser"), Actor("bob", via="api")


@pytest.fixture
def shop(database: Config, tmp_path: Path) -> Iterator[LocalSite]:
    with local_site(tmp_path, MANIFEST, database=database.database) as made:
        yield made


def entry(shop: LocalSite) -> int:
    return int(shop.save("One", tags=["a", "b"]).id)


def comment(shop: LocalSite) -> int:
    return int(editorial.add_comment(shop.config, "", entry(shop), "Hi", author="Ida", later=True).subject.id)


def asset(shop: LocalSite) -> int:
    (shop.folder / "a.txt").write_text("first")
    return int(editorial.upload_asset(shop.config, "", shop.folder / "a.txt", later=True).subject.id)


def tag(shop: LocalSite) -> str:
    entry(shop)
    return "a"


def replaced(shop: LocalSite, text: str, **given: Any) -> Any:
    (shop.folder / "a.txt").write_text(text)
    return editorial.upload_asset(shop.config, "", shop.folder / "a.txt", later=True, **given)


Act = Callable[..., Any]
Version = Callable[[LocalSite, Any], str]


def entry_version(shop: LocalSite, key: int) -> str:
    return editorial.get_entry(shop.config, "", key).version


def comment_version(shop: LocalSite, key: int) -> str:
    return editorial.get_comment(shop.config, "", key).version


def asset_version(shop: LocalSite, key: int) -> str:
    return editorial.get_asset(shop.config, "", key).version


def tag_version(shop: LocalSite, name: str) -> str:
    return editorial.get_term(shop.config, "", "tag", name).version


def one(act: Act) -> Act:
    """A command for one thing."""
    return lambda shop, key, expected, **who: act(shop, key, expected_version=expected, later=True, **who)


def several(act: Act) -> Act:
    """A command for several things at once."""
    return lambda shop, key, expected, **who: act(shop, key, expected_versions={key: expected}, later=True, **who)


#: By command: what makes the thing, how its version is read, who changes it first, and the command.
COMMANDS: dict[str, tuple[Callable[[LocalSite], Any], Version, Act, Act]] = {}


def _commands() -> None:
    e = editorial

    def tags(shop: LocalSite, key: int) -> Any:
        return e.edit_entry(shop.config, "", key, tags=["a"], actor=ADA, later=True)

    def said(shop: LocalSite, key: int) -> Any:
        return e.edit_comment(shop.config, "", key, email="ida@example.org", actor=ADA, later=True)

    def moved(shop: LocalSite, key: int) -> Any:
        return e.move_asset(shop.config, "", key, "b.txt", actor=ADA, later=True)

    def respelled(shop: LocalSite, name: str) -> Any:
        return e.rename_term(shop.config, "", "tag", name, "A!", actor=ADA, later=True)

    COMMANDS.update({
        "edit_entry": (
            entry, entry_version, tags, one(lambda s, k, **g: e.edit_entry(s.config, "", k, title="X", **g)),
        ),
        "publish_entry": (entry, entry_version, tags, one(lambda s, k, **g: e.publish_entry(s.config, "", k, **g))),
        "unpublish_entry": (entry, entry_version, tags, one(lambda s, k, **g: e.unpublish_entry(s.config, "", k, **g))),
        "schedule_entry": (
            entry, entry_version, tags, one(lambda s, k, **g: e.schedule_entry(s.config, "", k, "2050-01-01", **g)),
        ),
        "delete_entries": (
            entry, entry_version, tags, several(lambda s, k, **g: e.delete_entries(s.config, "", k, **g)),
        ),
        "edit_comment": (
            comment, comment_version, said, one(lambda s, k, **g: e.edit_comment(s.config, "", k, text="X", **g)),
        ),
        "moderate_comments": (
            comment, comment_version, said,
            several(lambda s, k, **g: e.moderate_comments(s.config, "", [k], "spam", **g)),
        ),
        "delete_comments": (
            comment, comment_version, said, several(lambda s, k, **g: e.delete_comments(s.config, "", k, **g)),
        ),
        "upload_asset": (
            asset, asset_version, lambda s, _: replaced(s, "second", actor=ADA),
            lambda s, _, expected, **who: replaced(s, "third", expected_version=expected, **who),
        ),
        "move_asset": (asset, asset_version, moved, one(lambda s, k, **g: e.move_asset(s.config, "", k, "c.txt", **g))),
        "remove_assets": (
            asset, asset_version, moved, several(lambda s, k, **g: e.remove_assets(s.config, "", k, **g)),
        ),
        "rename_term": (
            tag, tag_version, respelled, one(lambda s, k, **g: e.rename_term(s.config, "", "tag", k, "X", **g)),
        ),
        "merge_terms": (
            tag, tag_version, respelled, one(lambda s, k, **g: e.merge_terms(s.config, "", "tag", k, "b", **g)),
        ),
        "delete_term": (tag, tag_version, respelled, one(lambda s, k, **g: e.delete_term(s.config, "", "tag", k, **g))),
    })  # fmt: skip


_commands()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_slower_of_two_editors_is_refused_and_nothing_is_touched(shop: LocalSite, name: str) -> None:
    make, version, first, command = COMMANDS[name]
    key = make(shop)
    read = version(shop, key)
    first(shop, key)
    before = everything()
    with pytest.raises(
        EditConflict, match="after you read it, so nothing was saved; read it again and repeat"
    ) as caught:
        command(shop, key, read, actor=BOB)
    assert everything() == before
    if name in ("edit_comment", "moderate_comments", "delete_comments"):
        assert caught.value.by != "bob"  # only the readers' address changed, which is no change of the site
    else:
        assert "was changed by ada at 20" in str(caught.value)
        assert caught.value.by == "ada"
        assert caught.value.at is not None and abs(caught.value.at - clock.now()) < 600
    assert command(shop, key, version(shop, key), actor=BOB).actor == BOB


def everything() -> list[Any]:
    tables = ("entry", "entry_tag", "tag", "comment", "asset", "change")
    return [sorted(db.execute(f"SELECT * FROM {table}").fetchall(), key=repr) for table in tables]


def test_every_command_for_something_that_exists_takes_a_version() -> None:
    functions = {name: getattr(editorial, name) for name in editorial.__all__}
    commands = {
        name: inspect.signature(function).parameters
        for name, function in functions.items()
        if inspect.isfunction(function) and "later" in inspect.signature(function).parameters
    }
    assert all("actor" in parameters for parameters in commands.values())
    with_version = {
        n for n, parameters in commands.items() if {"expected_version", "expected_versions"} & set(parameters)
    }
    assert with_version == set(commands) - {"add_entry", "add_comment"} == set(COMMANDS)


@pytest.mark.parametrize(
    ("change", "is_seen"),
    [
        ({"title": "Other"}, True), ({"text": "Other"}, True), ({"tags": ["b", "a"]}, True), ({"tags": []}, True),
        ({"categories": ["News"]}, True), ({"authors": ["Ida"]}, True), ({"aliases": ["old"]}, True),
        ({"excerpt": "Short"}, True), ({"summary": "Shorter"}, True), ({"extra": {"a": 1}}, True),
        ({"expires": "2050-01-01"}, True), ({"allow_comments": False}, True), ({"title": "One"}, False),
    ],
)  # fmt: skip
def test_whatever_an_edit_may_name_is_in_the_version(shop: LocalSite, change: Any, is_seen: bool) -> None:
    key = entry(shop)
    before = entry_version(shop, key)
    editorial.edit_entry(shop.config, "", key, later=True, **change)
    assert (entry_version(shop, key) != before) == is_seen


def test_what_only_publishing_changes_is_not_in_the_version(shop: LocalSite) -> None:
    key = entry(shop)
    before = entry_version(shop, key)
    shop.run()
    editorial.add_comment(shop.config, "", key, "Hi", author="Ida")
    with db.write():
        sites.sync(shop.config.model_copy(update={"sites": [shop.config.sites[0].model_copy(update={"title": "X"})]}))
    assert entry_version(shop, key) == before


def test_nothing_of_several_is_removed_when_one_was_changed(shop: LocalSite) -> None:
    keys = [int(shop.save(title, tags=["t"]).id) for title in ("One", "Two")]
    versions = {key: entry_version(shop, key) for key in keys}
    editorial.edit_entry(shop.config, "", keys[1], title="Other", later=True)
    with pytest.raises(EditConflict, match="the entry “Other” was changed"):
        editorial.delete_entries(shop.config, "", *keys, expected_versions=versions, later=True)
    assert Entry.select().count() == 2
    editorial.delete_entries(shop.config, "", *keys, expected_versions={keys[0]: versions[keys[0]]}, later=True)
    assert Entry.select().count() == 0


def test_a_file_that_is_to_be_replaced_must_be_there(shop: LocalSite) -> None:
    with pytest.raises(ContentError, match="There is no file “a"):
        replaced(shop, "first", expected_version="0")
    assert Asset.select().count() == 0


@pytest.mark.parametrize("command", ["edit_entry", "edit_comment", "move_asset", "rename_term"])
def test_of_two_editors_at_the_same_moment_one_is_refused(shop: LocalSite, command: str) -> None:
    """Both read, then both save at once, many times over: no edit that was taken is lost."""
    make, version, _, _ = COMMANDS[command]
    key = make(shop)
    acts: dict[str, Callable[[str], dict[str, Any]]] = {
        "edit_entry": lambda said: {"f": editorial.edit_entry, "a": [key], "title": said},
        "edit_comment": lambda said: {"f": editorial.edit_comment, "a": [key], "text": said},
        "move_asset": lambda said: {"f": editorial.move_asset, "a": [key, f"{said}.txt"]},
        "rename_term": lambda said: {"f": editorial.rename_term, "a": ["tag", "a", said]},
    }
    saved: list[str] = []
    refused: list[str] = []
    faults: list[BaseException] = []
    for turn in range(6):
        read = version(shop, key)
        barrier = threading.Barrier(2)

        def act(name: str, read: str = read, barrier: threading.Barrier = barrier, turn: int = turn) -> None:
            said = f"{name}{turn}"
            given = acts[command](said)
            try:
                barrier.wait(20)
                given.pop("f")(
                    shop.config, "", *given.pop("a"), expected_version=read, actor=Actor(name), later=True, **given
                )
                saved.append(said)
            except EditConflict:
                refused.append(said)
            except BaseException as error:
                faults.append(error)
            finally:
                db.database.close()

        editors = [threading.Thread(target=act, args=[name]) for name in ("ada", "bob")]
        for editor in editors:
            editor.start()
        for editor in editors:
            editor.join()
        assert faults == []
        assert len(saved) == len(refused) == turn + 1
        now = {
            "edit_entry": lambda: Entry.get_by_id(key).title, "edit_comment": lambda: Comment.get_by_id(key).text,
            "move_asset": lambda: Asset.get_by_id(key).path.removesuffix(".txt"),
            "rename_term": lambda: editorial.get_term(shop.config, "", "tag", "a").name,
        }[command]()  # fmt: skip
        assert now == saved[-1]
