"""The last commit of a git repository as a folder, fetched and checked out with the system's git.

    repository ─► mirror.git (bare, the branch's last commit only) ─► tree-REVISION/ ◄─ tree (a symbolic link)

Guarantees that nothing of a repository is run, and nothing is written outside its folder: no hook, filter, submodule or
symbolic link, and no path that leaves the folder; that git never prompts; that a host with an unknown key is refused;
and that `tree` always leads to a whole commit, the last one or the one before, whenever the process is killed. A
damaged mirror is replaced.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.config import SourceSettings
from appliance.errors import ContentError

_WANTED = "refs/appliance/wanted"
#: Packs that a mirror may have before it is replaced, since each fetch adds one.
_PACKS = 50
#: Characters of git's messages that an error quotes.
_MESSAGE_LENGTH = 300
_OPTIONS = (
    "core.hooksPath=/dev/null", "core.symlinks=false", "core.fsmonitor=false", "core.protectHFS=true",
    "core.protectNTFS=true", "core.quotePath=false", "core.autocrlf=false", "core.attributesFile=/dev/null",
    "protocol.ext.allow=never", "submodule.recurse=false", "fetch.recurseSubmodules=no", "gc.auto=0",
    "maintenance.auto=false", "credential.helper=", "core.askPass=",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit that is checked out."""

    revision: str
    folder: Path
    #: Symbolic links of the commit, which are left out of the folder.
    links: tuple[str, ...] = ()


class Repository:
    """The repository of one source; `home` is a folder for its mirror and its checkouts."""

    def __init__(self, settings: SourceSettings, home: Path) -> None:
        self._settings = settings
        self._home = home
        self._mirror = home / "mirror.git"

    def fetch(self) -> str:
        """Fetch the last commit of the branch; returns its id.

        Raises:
            ContentError: git is missing, the repository cannot be reached or has no such branch.
        """
        is_fresh = self._prepare()
        try:
            self._fetch()
            return self._revision()
        except ContentError:
            if is_fresh:
                raise
        self._prepare(replace=True)  # a fetch that was killed may have damaged the mirror
        self._fetch()
        return self._revision()

    def check_out(self, revision: str) -> Commit:
        """Check out a commit that was fetched, into a folder of its own.

        Raises:
            ContentError: the commit has no such subfolder, is damaged, or would write outside its folder.
        """
        fresh = Path(tempfile.mkdtemp(prefix="fresh-", dir=self._home))
        try:
            links = self._write(revision, fresh / "files")
            folder = self._home / f"tree-{revision}"
            shutil.rmtree(folder, ignore_errors=True)
            (fresh / "files").rename(folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        self._point_at(folder)
        return Commit(revision, folder, links)

    def _prepare(self, *, replace: bool = False) -> bool:
        """Make sure that there is a mirror; returns whether it is new."""
        packs = self._mirror / "objects" / "pack"
        if replace or len(list(packs.glob("*.pack"))) > _PACKS:
            shutil.rmtree(self._mirror, ignore_errors=True)
        if (self._mirror / "HEAD").exists():
            return False
        try:
            shutil.rmtree(self._mirror, ignore_errors=True)
            self._home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ContentError(
                f"{self._home}: cannot be used: {error.strerror}; mend that, or name another folder with `checkouts`"
            ) from error
        self._git("init", "--quiet", "--bare", "--template=", str(self._mirror), mirror=False)
        return True

    def _fetch(self) -> None:
        branch = self._settings.branch
        wanted = f"refs/heads/{branch}" if branch else "HEAD"
        # The settings name the repository, so it is trusted even if another user of this host owns it.
        trusted = ["--upload-pack=git -c 'safe.directory=*' upload-pack"] if self._is_here else []
        self._git(
            "fetch", "--quiet", *trusted, "--depth=1", "--no-tags", "--force",
            "--no-recurse-submodules", "--no-write-fetch-head", "--end-of-options",
            str(self._settings.git), f"+{wanted}:{_WANTED}",
        )  # fmt: skip

    @property
    def _is_here(self) -> bool:
        return str(self._settings.git).startswith(("/", "file://"))

    def _revision(self) -> str:
        return self._git("rev-parse", "--verify", "--quiet", f"{_WANTED}^{{commit}}").strip()

    def _write(self, revision: str, folder: Path) -> tuple[str, ...]:
        below = self._settings.subfolder
        if below and self._git("cat-file", "-t", f"{revision}:{below}", missing="").strip() != "tree":
            raise ContentError(f"there is no folder “{below}” in the repository; correct subfolder")
        folder.mkdir()
        self._git("read-tree", f"{revision}:{below}", into=folder)
        self._git("checkout-index", "--all", "--force", "--quiet", into=folder)
        links = tuple(self._links(folder))
        for link in links:
            (folder / link).unlink(missing_ok=True)  # a plain file, as core.symlinks has it
        return links

    def _links(self, folder: Path) -> Iterator[str]:
        for row in self._git("ls-files", "--stage", "-z", into=folder).split("\0"):
            mode, _, rest = row.partition(" ")
            if mode == "120000":
                yield rest.partition("\t")[2]

    def _point_at(self, folder: Path) -> None:
        """Let `tree` lead to a folder, atomically, then remove all other folders."""
        link = self._home / "tree"
        beside = self._home / ".tree"
        beside.unlink(missing_ok=True)
        beside.symlink_to(folder.name)
        beside.replace(link)
        for other in [*self._home.glob("tree-*"), *self._home.glob("fresh-*")]:
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)

    def _git(self, *arguments: str, mirror: bool = True, into: Path | None = None, missing: str | None = None) -> str:
        """The output of a git command; `into` is the work tree, and `missing` is returned in place of a failure."""
        where = [f"--git-dir={self._mirror}"] if mirror else []
        where += [f"--work-tree={into}"] if into else []
        environment = self._environment() | ({"GIT_INDEX_FILE": str(into.parent / "index")} if into else {})
        settings = [part for option in _OPTIONS for part in ("-c", option)]
        command = ["git", *settings, *where, *arguments]
        try:
            status, output, messages = _run(command, into or self._home, environment, self._settings.timeout)
        except FileNotFoundError as error:
            raise ContentError("git is not installed on this host; install it (Debian: apt install git)") from error
        if status == 0:
            return output
        if missing is not None:
            return missing
        raise ContentError(self._sentence(arguments[0], messages))

    def _environment(self) -> dict[str, str]:
        # Not the caller's whole environment: variables of git could name programs to run.
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "SSH_AUTH_SOCK") if name in os.environ}
        return {
            **kept,
            "LC_ALL": "C.UTF-8",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_ALLOW_PROTOCOL": "file:https:ssh",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_SSH_VARIANT": "ssh",
            "GIT_SSH_COMMAND": shlex.join(["ssh", *_ssh_options(self._settings)]),
        }

    def _sentence(self, command: str, messages: str) -> str:
        lines = [line.strip() for line in messages.splitlines() if line.strip()]
        fatal = next((line for line in lines if line.startswith(("fatal: couldn't", "Host key", "git@"))), "")
        errors = [line for line in lines if line.startswith(("fatal:", "error:"))]
        first = fatal or next(iter([*errors, *lines]), "")
        others = "; ".join(line for line in lines if line.startswith("ssh:") or "Permission denied" in line)
        first = "; ".join(filter(None, (others, re.sub(r"^(fatal|error): ", "", first))))[:_MESSAGE_LENGTH].rstrip(".")
        if command == "fetch":
            branch = f"branch “{self._settings.branch}” of " if self._settings.branch else ""
            problem = f"{branch}{self._settings.git} cannot be fetched: {first}"
            return f"{problem}; nothing was changed; mend that and pull again"
        return f"the commit fetched from {self._settings.git} cannot be used: {first}; nothing was changed"


def _ssh_options(settings: SourceSettings) -> Sequence[str]:
    options = ["BatchMode=yes", "StrictHostKeyChecking=yes", "ConnectTimeout=20", "ForwardAgent=no"]
    if settings.key:
        options += ["IdentitiesOnly=yes", f'IdentityFile="{_escaped(settings.key)}"']
    if settings.known_hosts:
        options += [f'UserKnownHostsFile="{_escaped(settings.known_hosts)}"', "GlobalKnownHostsFile=/dev/null"]
    return [part for option in options for part in ("-o", option)]


def _escaped(path: Path) -> str:
    return str(path).replace("%", "%%").replace('"', '\\"')


def _run(command: Sequence[str], folder: Path, environment: dict[str, str], timeout: float) -> tuple[int, str, str]:
    """Exit status, output and messages of a program. It is killed with all it started when it takes too long."""
    with subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,
    ) as process:
        try:
            output, messages = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            output, messages = b"", f"fatal: took longer than {timeout:g} seconds".encode()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, output.decode("utf-8", "surrogateescape"), messages.decode("utf-8", "replace")
