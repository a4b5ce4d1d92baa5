"""Making an installation, and looking whether its settings are sound."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from invoke import Context, task

from appliance import config as settings
from appliance import publishing
from appliance.config import Config
from appliance.errors import ApplianceError, ConfigError
from appliance.tasks.console import command, tell
from appliance.tasks.edited import counted

#: What runs tasks in a checkout; elsewhere the installed command does.
_INV = Path(__file__).parents[2] / "inv"

_SETTINGS = """\
# What this publishing host serves, and to whom. docs/reference/settings.md of the appliance has every key.

docroot = {docroot}

[[sites]]
name = {name}
title = {title}
url = {url}
timezone = "UTC"
theme = "default"

# A front end: the same docroot path, over ssh and rsync.
# [[targets]]
# name = "www1"
# address = "publish@www1.example.org:{plain_docroot}"
"""


@task(
    positional=["folder"],
    help={
        "folder": "The folder to make; it may be there already, but not hold an installation.",
        "title": "The site's title.",
        "url": "The address readers will use.",
        "name": "What the site is called in commands.",
        "docroot": "The folder front ends serve; FOLDER/www when not given.",
    },
)
@command
def init(
    _context: Context,
    folder: str,
    title: str = "A new site",
    url: str = "http://localhost/",
    name: str = "site",
    docroot: str = "",
) -> None:
    """Make a folder with settings, an empty database and a docroot."""
    home = Path(folder).absolute()
    file = home / settings.FILE_NAME
    if file.exists():
        raise ConfigError([f"{file} is there already; edit it, or name another folder"])
    if home.exists() and not home.is_dir():
        raise ConfigError([f"{home} is a file; name a folder"])
    place = Path(docroot) if docroot else home / "www"
    raw = {"docroot": str(place), "sites": [{"name": name, "title": title, "url": url}]}
    config = settings.check(raw, file)
    home.mkdir(parents=True, exist_ok=True)
    file.write_text(settings_text(str(place), name, title, url), "utf-8")
    with publishing.installation(config):
        config.docroot.mkdir(parents=True, exist_ok=True)
        config.assets_folder.mkdir(parents=True, exist_ok=True)
    call = shlex.quote(str(_INV)) if _INV.is_file() else "appliance"
    tell(f"{home} is ready. Next:")
    tell(f"  cd {shlex.quote(folder)}")
    tell(f"  {call} content.import PATH-OF-YOUR-POSTS")
    tell(f"  {call} publish && {call} drain")


@task(
    positional=["file"],
    help={
        "file": "The settings file.",
        "as": "The path it will have: relative places in it count from there.",
        "verbose": "Show the stack trace of an error.",
    },
)
@command
def check(_context: Context, file: str, as_: str = "", verbose: bool = False) -> None:
    """Say everything that is wrong with a settings file, exit status 3, or that it is sound; nothing is touched."""
    config = settings.load(Path(file), Path(as_) if as_ else None)
    if faults := list(_theme_faults(config)):
        raise ConfigError(faults, config.path)
    targets = len(config.targets)
    tell(f"{config.path} is sound: {counted(len(config.sites), 'site')}, {counted(targets, 'target')}")


def _theme_faults(config: Config) -> Iterator[str]:
    """What is wrong with the themes that sites name, and with what sites set of them."""
    for site in config.sites:
        try:
            publishing.themes(config, [site.name])
        except ApplianceError as error:
            yield f"sites.{site.name}: {error}"


def settings_text(docroot: str, name: str, title: str, url: str) -> str:
    """The first settings file of an installation."""
    return _SETTINGS.format(
        docroot=quoted(docroot),
        name=quoted(name),
        title=quoted(title),
        url=quoted(url),
        plain_docroot=docroot,
    )


def quoted(text: str) -> str:
    """A TOML basic string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in escaped) + '"'
