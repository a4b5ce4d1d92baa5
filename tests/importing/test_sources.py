"""Sources: what is edited in folders and repositories is imported as it is there, and nothing is lost by accident."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance import db, housekeeping, pull_job, running
from appliance.config import Config
from appliance.content import entries, sites
from appliance.content.entries import EntryData
from appliance.content.models import Asset, Change, Entry, Source
from appliance.demo.frontend import FrontEnd, make_key
from appliance.errors import ConfigError, ContentError, DeliveryError
from appliance.importing import git, sources
from appliance.importing.markdown.importer import import_folder
from appliance.importing.sources import PullResult
from tests.conftest import MakeConfig

NOBODY = {
    "GIT_AUTHOR_NAME": "Ida", "GIT_AUTHOR_EMAIL": "ida@example.org", "GIT_COMMITTER_NAME": "Ida",
    "GIT_COMMITTER_EMAIL": "ida@example.org", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1",
    "PATH": os.environ["PATH"],
}  # fmt: skip


class Remote:
    """A repository somebody edits."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.new()

    def new(self) -> None:
        self.folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str, given: str | None = None) -> str:
        made = subprocess.run(
            ["git", *arguments], cwd=self.folder, env=NOBODY, input=given, text=True, capture_output=True, check=True
        )
        return made.stdout.strip()

    def write(self, **files: str | None) -> str:
        """Commit files by name without ending (None removes one); returns the commit."""
        return self.commit({f"{name}.md": text for name, text in files.items()})

    def commit(self, files: dict[str, str | None]) -> str:
        for name, text in files.items():
            if text is None:
                (self.folder / name).unlink()
            else:
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                (self.folder / name).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message=change")
        return self.git("rev-parse", "HEAD")


def post(title: str) -> str:
    return f"---\ntitle: {title}\ndate: 2024-05-01\n---\nText of {title}.\n"


def many(number: int) -> dict[str, str | None]:
    return {f"post-{n}.md": post(f"Post {n}") for n in range(number)}


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return Remote(tmp_path / "remote")


Configure = Callable[..., Config]


@pytest.fixture
def fed(make_config: MakeConfig) -> Iterator[Configure]:
    """Makes an installation whose site is fed by the source `docs`, in a database connected until the test ends."""
    opened: list[Any] = []

    def make(**source: Any) -> Config:
        site = {"name": "blog", "title": "A Blog", "url": "https://blog.example/"}
        made = make_config(sites=[{**site, "sources": [{"name": "docs", **source}]}])
        opened.append(db.connect(made))
        return made

    yield make
    for one in opened:
        one.close()


def pull(config: Config, **given: Any) -> PullResult:
    (source,) = sources.find_sources(config, ["docs"])
    return pull_job.pull(config, source, **given)


def titles() -> list[str]:
    return [entry.title for entry in Entry.select().order_by(Entry.title)]


def standing(config: Config) -> tuple[str, str | None]:
    (found,) = sources.source_states(config)
    return found.outcome, found.error


def content() -> list[tuple[Any, ...]]:
    entries = db.execute("SELECT id, title, html, source_path FROM entry ORDER BY id").fetchall()
    return [*entries, *db.execute("SELECT id, path, digest FROM asset ORDER BY id").fetchall()]


def test_a_repository_is_followed(fed: Configure, remote: Remote) -> None:
    config = fed(git=str(remote.folder))
    first = remote.write(a=post("A"), b=post("B"))
    pulled = pull(config)
    assert (pulled.revision, pulled.changed, titles()) == (first, True, ["A", "B"])
    assert db.execute("SELECT kind, key, reason FROM job").fetchall() == [
        ("plan", "blog", f"source “docs” at {first[:12]}")
    ]

    known = Change.select().count()
    again = pull(config)
    assert (again.changed, again.report, Change.select().count()) == (False, None, known)
    assert standing(config) == ("unchanged", None)

    remote.write(a=post("A, mended"))
    pull(config)
    assert titles() == ["A, mended", "B"]
    number = Entry.get(Entry.title == "B").id
    remote.git("mv", "b.md", "c.md")
    last = remote.write()
    assert pull(config).report is not None
    assert [(e.id, e.source_path) for e in Entry.select().where(Entry.title == "B")] == [(number, "c.md")]
    remote.write(c=None)
    last = remote.git("rev-parse", "HEAD")
    pull(config)
    assert titles() == ["A, mended"]
    home = config.checkouts_folder / "blog" / "docs"
    assert {path.name for path in home.iterdir()} == {"mirror.git", "lock", "tree", f"tree-{last}"}
    assert (home / "tree" / "a.md").exists()


def test_a_branch_and_a_subfolder(fed: Configure, remote: Remote) -> None:
    remote.write(top=post("Top"))
    remote.git("checkout", "--quiet", "-b", "drafts/next")
    remote.commit({"site/docs/a.md": post("A"), "site/docs/pic.bin": "x"})
    remote.git("checkout", "--quiet", "main")
    config = fed(git=f"file://{remote.folder}", branch="drafts/next", subfolder="site/docs")
    pull(config)
    assert titles() == ["A"]
    assert [asset.path for asset in Asset.select()] == ["pic.bin"]
    remote.git("checkout", "--quiet", "drafts/next")
    remote.git("mv", "site", "elsewhere")
    remote.write()
    before = content()
    with pytest.raises(ContentError, match="there is no folder “site/docs” in the repository"):
        pull(config)
    remote.git("checkout", "--quiet", "main")
    remote.git("branch", "--quiet", "-D", "drafts/next")
    with pytest.raises(ContentError, match=r"branch “drafts/next” of .* cannot be fetched: couldn't find remote ref"):
        pull(config)
    assert content() == before


def test_other_settings_of_one_source_are_imported_though_the_commit_is_the_same(
    fed: Configure, remote: Remote
) -> None:
    remote.commit({"one/a.md": post("A"), "two/b.md": post("B")})
    pull(fed(git=str(remote.folder), subfolder="one"))
    pull(fed(git=str(remote.folder), subfolder="two"))
    assert titles() == ["B"]


@pytest.mark.parametrize("how", ["vanished", "empty", "rewritten", "emptied"])
def test_errors_of_the_repository_delete_nothing(fed: Configure, remote: Remote, how: str) -> None:
    config = fed(git=str(remote.folder))
    remote.commit(many(60))
    pull(config)
    before = content()
    remote.folder.rename(remote.folder.with_name("away"))
    if how != "vanished":
        remote.new()
    if how == "rewritten":
        remote.write(other=post("Unrelated"))
    if how == "emptied":
        remote.commit({})
    said = {
        "vanished": "cannot be fetched",
        "empty": "cannot be fetched",
        "rewritten": "60 of 60 entries and files from docs would be removed at once",
        "emptied": "has no Markdown file in it",
    }[how]
    for _ in range(2):  # what was refused once is not forgotten
        with pytest.raises(ContentError, match=said):
            pull(config)
        assert content() == before
        outcome, error = standing(config)
        assert outcome == "failed"
        assert error is not None
        assert said in error
    if how == "rewritten":
        pull(config, allow_removals=True)
        assert titles() == ["Unrelated"]
        assert standing(config) == ("changed", None)
    if how == "vanished":
        remote.folder.with_name("away").rename(remote.folder)
        assert not pull(config).changed
        assert standing(config) == ("unchanged", None)


def test_a_forced_push_of_much_the_same_is_a_change_like_others(fed: Configure, remote: Remote) -> None:
    config = fed(git=str(remote.folder))
    remote.commit(many(60))
    pull(config)
    numbers = {e.title: e.id for e in Entry.select()}
    remote.git("checkout", "--quiet", "--orphan", "fresh")
    remote.write(**{"post-0": post("Zero")})
    remote.git("branch", "--force", "main", "fresh")
    remote.git("checkout", "--quiet", "main")
    pull(config)
    assert {e.title: e.id for e in Entry.select()} == {
        ("Zero" if title == "Post 0" else title): key for title, key in numbers.items()
    }


def test_a_folder_that_is_not_mounted_deletes_nothing(fed: Configure, tmp_path: Path) -> None:
    folder = tmp_path / "mount"
    config = fed(folder=str(folder))
    folder.mkdir()
    for name, text in many(60).items():
        (folder / name).write_text(str(text))
    assert pull(config).changed
    assert not pull(config).changed
    before = content()
    for file in list(folder.iterdir())[:55]:
        file.unlink()
    with pytest.raises(ContentError, match="--allow-removals"):
        import_folder(config, "blog", folder, source="docs")
    for file in list(folder.iterdir()):
        file.unlink()
    with pytest.raises(ContentError, match="has no Markdown"):
        pull(config)
    folder.rmdir()
    with pytest.raises(ContentError, match="does not exist"):
        pull(config)
    assert content() == before


@pytest.mark.parametrize("damage", ["pack", "lock", "head", "refs"])
def test_a_damaged_mirror_is_replaced(fed: Configure, remote: Remote, damage: str) -> None:
    config = fed(git=f"file://{remote.folder}")
    remote.commit(many(3))
    pull(config)
    mirror = config.checkouts_folder / "blog" / "docs" / "mirror.git"
    if damage == "pack":
        for file in [p for p in (mirror / "objects").rglob("*") if p.is_file()]:
            file.chmod(0o600)
            file.write_bytes(file.read_bytes()[:20])
    elif damage == "lock":
        (mirror / "shallow.lock").touch()
    elif damage == "head":
        (mirror / "HEAD").unlink()
    else:
        (mirror / "refs" / "appliance" / "wanted").write_text("0" * 40)
    remote.write(more=post("More"))
    pull(config)
    assert "More" in titles()


def test_a_damaged_repository_deletes_nothing(fed: Configure, remote: Remote) -> None:
    config = fed(git=f"file://{remote.folder}")
    remote.commit(many(3))
    pull(config)
    before = content()
    remote.write(more=post("More"))
    for file in [p for p in (remote.folder / ".git" / "objects").rglob("*") if p.is_file()]:
        file.chmod(0o600)
        file.write_bytes(b"rubbish")
    with pytest.raises(ContentError, match="cannot be fetched"):
        pull(config)
    assert content() == before


def fake_git(folder: Path, script: str) -> None:
    folder.mkdir()
    (folder / "git").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "git").chmod(0o755)


def test_a_fetch_that_hangs_is_killed_with_its_children(
    fed: Configure, remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = fed(git=str(remote.folder), timeout=0.3)
    fake_git(tmp_path / "bin", f'case "$*" in *" fetch "*) echo $$ > {tmp_path}/pid; sleep 60 & wait;; esac')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    with pytest.raises(ContentError, match=r"cannot be fetched: took longer than 0\.3 seconds"):
        pull(config)
    group = int((tmp_path / "pid").read_text())
    alive = subprocess.run(["ps", "-o", "stat=", "-g", str(group)], capture_output=True, text=True, check=False).stdout
    assert all(line.startswith("Z") for line in alive.split())


def test_a_pull_killed_during_a_fetch_is_completed_by_the_next(fed: Configure, remote: Remote) -> None:
    config = fed(git=f"file://{remote.folder}")
    remote.commit(many(3))
    child = os.fork()
    if not child:
        git._run = lambda *_given: os._exit(9)  # where it fetches
        db.open_database(config)
        pull(config)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert pull(config).changed
    assert len(titles()) == 3


def test_an_import_that_was_interrupted_counts_as_a_change(
    fed: Configure, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its changes are in the database, with the job that plans them; the next pull asks for that at once."""
    config = fed(git=str(remote.folder))
    remote.commit(many(3))

    def killed(*given: Any, **more: Any) -> None:
        import_folder(*given, **more)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sources, "import_folder", killed)
        with pytest.raises(KeyboardInterrupt):
            pull(config)
    assert db.execute("SELECT kind FROM job").fetchall() == [("plan",)]
    pulled = pull(config)
    assert pulled.report is not None
    assert (pulled.report.changed_nothing, pulled.changed) == (True, True)
    assert db.execute("SELECT kind, answer FROM job").fetchall() == [("plan", "coalesced")]


def test_links_and_paths_stay_inside(fed: Configure, remote: Remote, tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text(post("Secret"))
    config = fed(git=str(remote.folder))
    remote.write(a=post("A"))
    (remote.folder / "secret.md").symlink_to(tmp_path / "secret.md")
    (remote.folder / "pictures").symlink_to(tmp_path)
    (remote.folder / ".gitattributes").write_text("*.md filter=evil\n")
    remote.write()
    pulled = pull(config)
    assert titles() == ["A"]
    assert pulled.report is not None
    assert [note.partition(":")[0] for note in pulled.report.notes] == ["pictures", "secret.md"]
    tree = config.checkouts_folder / "blog" / "docs" / "tree"
    assert {path.name for path in tree.iterdir()} == {"a.md", ".gitattributes"}
    before = content()

    blob = remote.git("hash-object", "-w", "--stdin", given=post("Out"))
    inner = remote.git("mktree", given=f"100644 blob {blob}\tout.md\n")
    for name in ("..", ".git"):
        # What no git would write itself.
        raw = f"40000 {name}\0".encode() + bytes.fromhex(inner)
        made = subprocess.run(
            ["git", "hash-object", "-t", "tree", "-w", "--literally", "--stdin"],
            cwd=remote.folder, env=NOBODY, input=raw, capture_output=True, check=True,
        )  # fmt: skip
        commit = remote.git("commit-tree", "-m", "evil", made.stdout.decode().strip())
        remote.git("update-ref", "refs/heads/main", commit)
        with pytest.raises(ContentError, match="cannot be used: invalid path"):
            pull(config)
        assert content() == before
        assert not list(config.checkouts_folder.rglob("out.md"))


def test_nothing_of_a_repository_is_run(
    fed: Configure, remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = fed(git=str(remote.folder))
    mark = tmp_path / "ran"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {mark}\ncat\n")
    program.chmod(0o755)
    for variable, text in {
        "GIT_CONFIG_GLOBAL": f'[filter "evil"]\n\tsmudge = {program}\n[core]\n\thooksPath = {tmp_path / "hooks"}\n',
    }.items():
        (tmp_path / variable).write_text(text)
        monkeypatch.setenv(variable, str(tmp_path / variable))
    (tmp_path / "hooks").mkdir()
    for hook in ("post-checkout", "reference-transaction", "post-index-change"):
        (tmp_path / "hooks" / hook).symlink_to(program)
    remote.commit({"a.md": post("A"), ".gitattributes": "*.md filter=evil\n", ".gitmodules": "[submodule"})
    pull(config)
    assert titles() == ["A"]
    assert not mark.exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files to somebody else")
def test_a_repository_of_somebody_else_on_this_host(fed: Configure, remote: Remote) -> None:
    config = fed(git=str(remote.folder))
    remote.write(a=post("A"))
    for path in [remote.folder, *remote.folder.rglob("*")]:
        os.chown(path, 12345, 12345)
    pull(config)
    assert titles() == ["A"]


def test_a_commit_is_imported_again_when_asked(fed: Configure, remote: Remote) -> None:
    """As when a file had the name of an entry that was edited here, and that entry went."""
    config = fed(git=str(remote.folder))
    mine = entries.save(sites.sync(config)["blog"], EntryData("Mine", "a", 1_714_521_600))[0]
    remote.write(a=post("A"))
    report = pull(config).report
    assert report is not None
    assert "as “Mine” has" in report.skipped[0][1]
    entries.delete(mine)
    pull(config)
    assert titles() == []
    pull(config, again=True)
    assert titles() == ["A"]


def test_git_that_is_missing(fed: Configure, remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    config = fed(git=str(remote.folder))
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ContentError, match="git is not installed on this host; install it"):
        pull(config)


def test_who_owns_an_entry(fed: Configure, remote: Remote, tmp_path: Path) -> None:
    config = fed(git=str(remote.folder))
    remote.write(a=post("A"))
    pull(config)
    once = tmp_path / "once"
    once.mkdir()
    (once / "b.md").write_text("---\ntitle: B\ndate: 2024-05-02\n---\n")
    import_folder(config, "blog", once)
    owners = {entry.title: sources.owning_source(config, entry) for entry in Entry.select()}
    assert owners == {"A": "docs", "B": None}
    with pytest.raises(ContentError, match=r"“A” comes from the source “docs”, file a\.md; edit it there, then"):
        sources.refuse_edit(config, Entry.get(Entry.title == "A"))
    sources.refuse_edit(config, Entry.get(Entry.title == "B"))


def test_unknown_names_are_refused(fed: Configure, remote: Remote) -> None:
    config = fed(git=str(remote.folder))
    with pytest.raises(ConfigError, match="there is no source “dcos”; the sources are: docs"):
        sources.find_sources(config, ["dcos"])
    with pytest.raises(ConfigError, match="there is no site “other”"):
        sources.find_sources(config, site="other")
    assert standing(config) == ("", None)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({}, "needs either folder or git; give one of them"),
        ({"folder": "/a", "git": "/b"}, "needs either folder or git"),
        ({"folder": "a"}, "folder: “a” is relative"),
        ({"folder": "/a", "branch": "main"}, "branch, subfolder, key and known_hosts are for git"),
        ({"git": "ext::sh -c touch% /tmp/x"}, "is not a git repository; write git@host:path.git"),
        ({"git": "-oProxyCommand=x:y"}, "is not a git repository"),
        ({"git": "ssh://-oProxyCommand=x/y"}, "is not a git repository"),
        ({"git": "host:-x"}, "is not a git repository"),
        ({"git": "http://example.org/x.git"}, "is not a git repository"),
        ({"git": "https://ida:secret@example.org/x.git"}, "holds a password, which reports would show"),
        ({"git": "/b", "branch": "--upload-pack=x"}, "is not a branch; write its name, such as main"),
        ({"git": "/b", "branch": "a..b"}, "is not a branch"),
        ({"git": "/b", "subfolder": "../x"}, "is not a folder below"),
        ({"git": "/b", "key": "/k"}, "key and known_hosts are for ssh"),
        ({"git": "/b", "every": "often"}, "“often” is no length of time"),
        ({"git": "/b", "every": "1s"}, "is too often; write 10s or more"),
    ],
)
def test_invalid_settings_are_refused(make_config: MakeConfig, source: dict[str, str], said: str) -> None:
    site = {"name": "blog", "title": "A Blog", "url": "https://blog.example/"}
    with pytest.raises(ConfigError) as caught:
        make_config(sites=[{**site, "sources": [{"name": "docs", **source}]}])
    (fault,) = caught.value.faults
    assert said in fault
    assert fault.startswith("sites.blog.sources.docs")
    assert "secret" not in fault


def test_valid_settings_are_accepted(make_config: MakeConfig) -> None:
    site = {"name": "blog", "title": "A Blog", "url": "https://blog.example/"}
    over_ssh = ["git@example.org:ida/blog.git", "ssh://git@example.org:2222/ida/blog.git", "alias:blog"]
    others = ["https://example.org/blog.git", "/srv/blog.git", "file:///srv/blog.git"]
    listed = [{"name": f"s{n}", "git": address, "every": "10m"} for n, address in enumerate([*over_ssh, *others])]
    (made,) = make_config(sites=[{**site, "sources": listed}]).sites
    assert [source.is_over_ssh for source in made.sources] == [True] * 3 + [False] * 3
    assert {source.seconds for source in made.sources} == {600}
    with pytest.raises(ConfigError, match=r"sites\.blog\.sources: the name “s0” is used twice"):
        make_config(sites=[{**site, "sources": [listed[0], listed[0]]}])


def test_it_is_pulled_on_schedule_and_planned(database: Config, make_config: MakeConfig, remote: Remote) -> None:
    site = {"name": "blog", "title": "A Blog", "url": "https://blog.example/"}
    listed = [{"name": "docs", "git": str(remote.folder), "every": "10m"}, {"name": "idle", "folder": "/nowhere"}]
    config = make_config(database=database.database, sites=[{**site, "sources": listed}])
    sites.sync(config)
    revision = remote.write(a=post("A"))
    ran = {one.name: one.did for one in housekeeping.make_schedule(config).run_due()}
    assert ran["pull blog/docs"] == "enqueued the pull of docs"
    assert "pull blog/idle" not in ran
    assert running.drain(config, workers=1).exit_code == 0
    assert titles() == ["A"]
    jobs = db.execute("SELECT kind, key, state, answer FROM job WHERE kind IN ('pull', 'plan') ORDER BY id").fetchall()
    assert [job[:3] for job in jobs] == [("pull", "blog/docs", "done"), ("plan", "blog", "done")]
    assert Source.get().revision == revision
    assert any("Text of A." in file.read_text() for file in config.docroot.rglob("*.html"))

    remote.folder.rename(remote.folder.with_name("away"))
    pull_job.enqueue_pull(config, sources.find_sources(config, ["docs"])[0])
    assert running.drain(config, workers=1).exit_code == 0  # said in content.sources; the next due time tries again
    assert sources.source_states(config)[0].outcome == "failed"


@pytest.mark.slow
def test_over_ssh_with_a_deploy_key(fed: Configure, remote: Remote, tmp_path: Path) -> None:
    remote.write(a=post("A"))
    key, known = tmp_path / "a key", tmp_path / "known hosts"
    front = FrontEnd(tmp_path / "host", key, forced=f"git-upload-pack '{remote.folder}'")
    try:
        front.start(http=False)
    except DeliveryError as error:
        pytest.skip(str(error))
    try:
        address = f"ssh://{front.settings().address.partition('@')[0]}@127.0.0.1:{front.ssh_port}/ida/blog.git"
        known.touch()
        with pytest.raises(ContentError, match="Host key verification failed"):
            pull(fed(git=address, key=str(key), known_hosts=str(known)))
        known.write_text(front.known_host)
        make_key(tmp_path / "other")
        with pytest.raises(ContentError, match="Permission denied"):
            pull(fed(git=address, key=str(tmp_path / "other"), known_hosts=str(known)))
        assert pull(fed(git=address, key=str(key), known_hosts=str(known))).changed
    finally:
        front.stop()
    assert titles() == ["A"]
