"""The check of commit messages finds each fault, and looks only at commits that the rules apply to."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from invoke import Context

from devtools import checks, commit_messages

GOOD = "Add a table of names\n\nReaders of older checkouts look for the names they know."


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("Add a table of names " + "and more " * 6 + "\n\nWhy.", "72"),
        ("add a table\n\nWhy.", "capital"),
        ("Add a table.\n\nWhy.", "punctuation"),
        ("Added a table\n\nWhy.", "“Added” is not a verb"),
        ("Adds a table\n\nWhy.", "“Adds” is not a verb"),
        ("Adding a table\n\nWhy.", "“Adding” is not a verb"),
        ("Made a table\n\nWhy.", "“Made” is not a verb"),
        ("The table has names\n\nWhy.", "“The” is not a verb"),
        ("Planning: add a table\n\nWhy.", "“Planning:” is not a verb"),
        ("Add a table", "body"),
        ("Add a table\n\nSigned-off-by: A Person <a@example.org>", "body"),
        ("Add a table\nof names\n\nWhy.", "empty line"),
    ],
)
def test_each_fault_is_named(message: str, said: str) -> None:
    (fault,) = commit_messages.faults(message)
    assert said in fault


@pytest.mark.parametrize(
    "verb", ["Add", "Bring", "Feed", "Embed", "Pass", "Address", "Focus", "Process", "Seed", "Set"]
)
def test_imperatives_are_taken(verb: str) -> None:
    assert list(commit_messages.faults(f"{verb} the names of modules\n\nWhy.")) == []


def test_an_empty_message_is_no_crash() -> None:
    assert list(commit_messages.faults("")) != []


class Repository:
    """A git repository whose first commit is older than the rules."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit("whatever was written before the rules.")

    def git(self, *arguments: str) -> None:
        identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", "-C", self.folder, *identity, *arguments], check=True, capture_output=True)

    def commit(self, message: str) -> None:
        self.git("commit", "--quiet", "--allow-empty", "--cleanup=verbatim", f"--message={message}")

    def add_the_rules(self) -> None:
        (self.folder / "devtools").mkdir()
        (self.folder / "devtools" / "commit_messages.py").write_text("")
        self.git("add", "devtools")
        self.commit("the commit that brings the rules.")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


def test_only_commits_after_the_rules_are_checked(repository: Repository) -> None:
    assert commit_messages.commits(repository.folder) == {}
    repository.add_the_rules()
    assert commit_messages.commits(repository.folder) == {}
    repository.commit(GOOD)
    assert list((commit_messages.commits(repository.folder) or {}).values()) == [f"{GOOD}\n"]
    assert commit_messages.main(repository.folder) == 0


def test_a_bad_commit_fails_and_is_named(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    repository.add_the_rules()
    repository.commit("Fixed it.\n\nWhy.")
    repository.commit(GOOD)
    assert commit_messages.main(repository.folder) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [("Fixed it." in line, ": " in line) for line in lines] == [(True, True)] * 2


def test_a_mistake_is_forgotten_after_fifty_commits(repository: Repository) -> None:
    repository.add_the_rules()
    repository.commit("Fixed it.")
    for _ in range(49):
        repository.commit(GOOD)
    assert commit_messages.main(repository.folder) == 1
    repository.commit(GOOD)
    assert commit_messages.main(repository.folder) == 0


def test_merges_are_left_out(repository: Repository) -> None:
    repository.add_the_rules()
    repository.git("checkout", "--quiet", "-b", "side")
    repository.commit(GOOD)
    repository.git("checkout", "--quiet", "main")
    repository.git("merge", "--quiet", "--no-ff", "--message=side merged.", "side")
    assert list((commit_messages.commits(repository.folder) or {}).values()) == [f"{GOOD}\n"]


def test_a_shallow_clone_is_checked_as_far_as_it_reaches(repository: Repository, tmp_path: Path) -> None:
    repository.add_the_rules()
    for message in ("Fixed it.", GOOD, GOOD):
        repository.commit(message)
    shallow = tmp_path / "shallow"
    repository.git("clone", "--quiet", "--depth=2", f"file://{repository.folder}", str(shallow))
    assert list((commit_messages.commits(shallow) or {}).values()) == [f"{GOOD}\n"]
    assert commit_messages.main(shallow) == 0


def test_a_tree_without_a_repository_of_its_own_is_skipped(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    exported = repository.folder / "exported"  # within another repository, with which it has nothing to do
    exported.mkdir()
    assert commit_messages.main(exported) == commit_messages.SKIPPED
    code = f"import pathlib; from devtools.commit_messages import main; exit(main(pathlib.Path({str(exported)!r})))"
    monkeypatch.setattr(checks, "LINTERS", {"commit messages": ("-c", code)})
    checks.lint(Context())
    assert "commit messages: skipped, since this is not a git repository" in capsys.readouterr().out
