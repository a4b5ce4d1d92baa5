"""Commands that create an installation and check its settings."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from invoke import Context, task

from appliance import config as settings
from appliance import installation
from appliance.config import ownership
from appliance.errors import ConfigError
from appliance.tasks.command_line import command, open_installation, pluralize, print_line
from appliance.tasks.option_help import VERBOSE

#: The script that runs tasks in a checkout.
_INV = Path(__file__).parents[2] / "inv"

_SETTINGS = """\
# The settings of this publishing host. docs/reference/settings.md describes every key.

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
        "folder": "The folder to create. It may exist, but must not hold an installation.",
        "title": "The site's title.",
        "url": "The public address of the site.",
        "name": "The name of the site in commands.",
        "docroot": "The folder that front ends serve; by default FOLDER/www.",
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
    """Create a folder with settings, an empty database and a docroot."""
    home = Path(folder).absolute()
    file = home / settings.FILE_NAME
    if file.exists():
        raise ConfigError([f"{file} exists already; edit it, or name another folder"])
    if home.exists() and not home.is_dir():
        raise ConfigError([f"{home} is a file; name a folder"])
    place = Path(docroot) if docroot else home / "www"
    raw = {"docroot": str(place), "sites": [{"name": name, "title": title, "url": url}]}
    config = settings.validate(raw, file)
    if home.exists():
        ownership.check_owner(config)
    # A web server must be able to reach a docroot inside. All else belongs to this account alone.
    _make_folder(home, 0o711 if config.docroot.is_relative_to(home) else 0o700)
    with open(file, "x", encoding="utf-8", opener=_private) as written:
        written.write(settings_text(str(place), name, title, url))
    with installation.open_installation(config):
        _make_folder(config.docroot, 0o755)
        _make_folder(config.assets_folder, 0o700)
    call = shlex.quote(str(_INV)) if _INV.is_file() else "appliance"
    print_line(f"{home} is ready. Next:")
    print_line(f"  cd {shlex.quote(folder)}")
    print_line(f"  {call} content.import PATH-OF-YOUR-POSTS")
    print_line(f"  {call} publish && {call} drain")


def _make_folder(folder: Path, mode: int) -> None:
    """Create a folder with this mode, whatever the umask. A folder that exists keeps its mode."""
    if not folder.is_dir():
        folder.mkdir(parents=True)
        folder.chmod(mode)


def _private(path: str, flags: int) -> int:
    """Open a file that nobody else can read, since settings may contain passwords later."""
    return os.open(path, flags, 0o600)


@task(
    positional=["file"],
    help={
        "file": "The settings file.",
        "as": "The path the file will have. Relative paths in it are relative to that path.",
        **VERBOSE,
    },
)
@command
def check(_context: Context, file: str, as_: str = "", verbose: bool = False) -> None:
    """Check a settings file and report every error, with exit status 3; nothing is changed."""
    from appliance import settings_report  # imports all of publishing, which the other commands here do not need

    config = settings_report.check(Path(file), Path(as_) if as_ else None)
    targets = len(config.targets)
    print_line(f"{config.path} is valid: {pluralize(len(config.sites), 'site')}, {pluralize(targets, 'target')}")


def settings_text(docroot: str, name: str, title: str, url: str) -> str:
    """Return the first settings file of an installation."""
    return _SETTINGS.format(
        docroot=toml_string(docroot),
        name=toml_string(name),
        title=toml_string(title),
        url=toml_string(url),
        plain_docroot=docroot,
    )


def toml_string(text: str) -> str:
    """Return a TOML basic string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in escaped) + '"'


@task(help=VERBOSE)
@command
def grant(_context: Context, verbose: bool = False) -> None:
    """Give the database role of the admin application its rights on all tables; done after migrations by itself."""
    from appliance import db

    with open_installation():
        if not db.grant():
            raise ConfigError(
                ["there is no database role appliance_admin to grant anything to; create it, or let the admin"
                 " application use the role of the publishing host"]
            )  # fmt: skip
    print_line("appliance_admin has the rights of the admin application, and no others")
