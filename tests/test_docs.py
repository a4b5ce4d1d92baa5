from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from markupsafe import Markup

from appliance import config
from devtools import reference
from devtools.command_table import all_tasks

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/*.md")])

#: What holds on one machine only: where this checkout lies, and where its packages came from.
LOCAL = re.compile(rf"{re.escape(str(ROOT))}/|--(?:extra-)?index-url|--find-links|--trusted-host|/simple/")


@pytest.mark.parametrize("name", ["api.md", "cluster.md", "rights.md", "settings.md", "tasks.md", "theme.md"])
def test_the_reference_is_that_of_the_code(name: str) -> None:
    written = (ROOT / "docs" / "reference" / name).read_text("utf-8")
    assert written == reference.pages(all_tasks())[name], "out of date; run: ./inv docs"


def test_the_example_of_settings_can_be_used() -> None:
    settings = config.validate(tomllib.loads(reference.EXAMPLE), Path("/etc/appliance/appliance.toml"))
    assert [target.name for target in settings.targets] == ["front1", "front2"]


def test_every_key_is_in_the_reference() -> None:
    page = reference.settings_page()
    for section in ((), ("sites",), ("sites", "sources"), ("targets",), ("queue",), ("delivery",)):
        for key in config.error_messages.known_keys(config.Config, section):
            assert f"`{key}`" in page or re.search(rf"[.\[]{key}\]+`", page)


def test_every_task_and_argument_says_what_it_is() -> None:
    for name, task in reference.tasks(all_tasks()):
        assert task.__doc__, f"{name} has no docstring"
        for argument in reference.arguments_of(task):
            assert argument.help, f"{name}: {argument.name} has no help"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_are_shown_with_options_that_they_have(page: Path) -> None:
    known = {
        name: {option for argument in reference.arguments_of(task) for option in map(_option, argument.names)}
        for name, task in reference.tasks(all_tasks())
    }
    text = page.read_text("utf-8").replace("\\\n", " ")
    for name, rest in re.findall(r"^ *(?:\$ )?appliance ([a-z]+(?:\.[a-z-]+)*)\b(.*)$", text, re.MULTILINE):
        assert name in known, name
        given = set(re.findall(r"(?<= )--?[a-z][a-z-]*", re.split(r"&&|[|;#]", rest)[0]))
        assert given <= known[name] | _OF_ALL, name


#: What every command takes.
_OF_ALL = {"--api", "--help", "--inventory", "-i"}


def _option(name: str) -> str:
    return f"{'-' if len(name) == 1 else '--'}{name.replace('_', '-')}"


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as forges make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> list[str]:
    text = re.sub(r"^(```|~~~).*?^\1", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"`[^`\n]*`", "", text)
    found = re.findall(
        r"\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)|^\[[^\]]+\]:\s*(\S+)|(?:src|href)=\"([^\"]+)\"", text, re.M
    )
    return [str(Markup("".join(parts)).unescape()) for parts in found]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", link):
            continue
        found = (page.parent / path).resolve() if path else page
        inside = found.is_relative_to(ROOT) and found.exists()
        if not inside or (anchor and found.suffix == ".md" and anchor not in anchors(found)):
            broken.append(link)
    assert not broken


def test_nothing_speaks_of_one_machine() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this folder is not a git checkout, so what belongs to it is not known")
    found = []
    for name in filter(None, listed.stdout.split("\0")):
        file = ROOT / name
        if file == Path(__file__) or not file.is_file():
            continue
        text = file.read_bytes().decode("utf-8", "replace")
        found += [f"{name}: {match[0]}" for match in LOCAL.finditer(text)]
    assert not found


def test_the_changelog_keeps_its_form() -> None:
    heading, *sections = re.split(r"^## ", (ROOT / "CHANGELOG.md").read_text("utf-8"), flags=re.MULTILINE)
    assert heading.startswith("# Changelog\n")
    assert sections[0].startswith("[Unreleased]\n")
    kinds = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
    for section in sections:
        title, *parts = re.split(r"^### ", section, flags=re.MULTILINE)
        assert re.match(r"\[(Unreleased\]|\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d)\n", title)
        for part in parts:
            kind, *lines = part.splitlines()
            assert kind in kinds
            assert [line for line in lines if line and not (re.match(r"- [A-Z`.]", line) and len(line) <= 120)] == []
