"""The command that root starts and the account runs: it has no hold of root's terminal, and is else as by hand."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.roles.rendering import ROLES, render

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run as another account")

#: An account that is not root.
ACCOUNT = 65534
#: One that the account can start; the tests' own may lie where it cannot look.
PYTHON = "/usr/bin/python3"
#: Longer than anything here takes on a busy machine.
PATIENCE = 30.0

#: What the account might do: type into whatever terminal it reaches, and look around.
PROBE = """
import fcntl, json, os, sys, termios
typed = []
for name in (0, 1, 2, "/dev/tty"):
    try:
        stream = os.open(name, os.O_RDWR) if isinstance(name, str) else name
        for letter in b"typed by the account\\n":
            fcntl.ioctl(stream, termios.TIOCSTI, bytes([letter]))
        typed.append(name)
    except OSError:
        pass
said = {"uid": os.getuid(), "arguments": sys.argv[1:], "home": os.environ["HOME"], "folder": os.getcwd()}
said["terminals"] = [os.isatty(stream) for stream in (0, 1, 2)]
said["device"] = os.fstat(1).st_rdev if os.isatty(1) else 0
print("said " + json.dumps(said))
"""


@pytest.fixture
def command(place: Path) -> Path:
    """The command, as the role installs it, whose program is what a test writes to `program`."""
    (place / "current/bin").mkdir(parents=True)
    (place / "home").mkdir()
    os.chown(place / "home", ACCOUNT, ACCOUNT)
    text = render(
        "publisher/appliance.sh.j2",
        appliance_user="nobody",
        appliance_uid=ACCOUNT,
        appliance_gid=ACCOUNT,
        appliance_home=str(place / "home"),
        publisher_folder=str(place),
        appliance_own_terminal=str(ROLES / "publisher/files/own-terminal"),
    )
    script = place / "appliance"
    script.write_text(text)
    script.chmod(0o755)
    return script


def program(command: Path, text: str) -> None:
    file = command.parent / "current/bin/appliance"
    file.write_text(f"#!{PYTHON} -I\n{text}")
    file.chmod(0o755)


class Terminal:
    """A terminal of root's, on which a shell runs a script."""

    def __init__(self, script: str, *, raw: bool = False) -> None:
        self.pid, self.master = pty.fork()
        if not self.pid:
            os.chdir("/")
            os.execvp("sh", ["sh", "-c", script])
        self.shown = ""

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def sees(self, text: str) -> str:
        """Wait until `text` is shown; all that was shown until then, which later calls do not find again."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.shown:
            assert time.monotonic() < deadline, f"“{text}” was not shown but: {self.shown}"
            if select.select([self.master], [], [], 1)[0]:
                try:
                    self.shown += os.read(self.master, 65536).decode()
                except OSError:
                    assert text in self.shown, f"“{text}” was not shown but: {self.shown}"
        before, self.shown = self.shown.split(text, 1)
        return before

    def ends(self) -> int:
        """Wait for the end of the shell; its exit status."""
        with contextlib.suppress(OSError):
            while said := os.read(self.master, 65536):
                self.shown += said.decode()
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def close(self) -> None:
        os.close(self.master)
        with contextlib.suppress(ChildProcessError, ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


@contextlib.contextmanager
def terminal(script: str) -> Iterator[Terminal]:
    opened = Terminal(script)
    try:
        yield opened
    finally:
        opened.close()


def can_type_into_terminals() -> bool:
    """Whether this system lets a process type into its own terminal."""
    probe = 'import fcntl, termios; fcntl.ioctl(0, termios.TIOCSTI, b"x"); print("typed")'
    with terminal(f"setpriv --reuid={ACCOUNT} --clear-groups {PYTHON} -c '{probe}' 2>&1; echo done") as own:
        return "typed" in own.sees("done")


@pytest.mark.parametrize("way", ["", " </dev/null", " | cat", " 2>/dev/null | cat", " </dev/null 2>&1 | cat"])
def test_the_account_cannot_type_into_root_s_shell(command: Path, way: str) -> None:
    program(command, PROBE)
    with terminal(f"tty; {command} one 'two three'{way}; echo ready; read -r line; echo got $line") as own:
        device = Path(own.sees("\r\n").strip()).stat().st_rdev
        own.sees("said ")
        said = json.loads(own.sees("\n"))
        own.sees("ready")
        own.type("typed by root\n")
        own.sees("got typed by root")
        assert said["uid"] == ACCOUNT
        assert said["arguments"] == ["one", "two three"]
        assert said["device"] != device


def test_without_the_terminal_of_its_own_it_could(command: Path) -> None:
    """The test above can fail: where the system allows it, the same program types into a terminal that it has."""
    if not can_type_into_terminals():
        pytest.skip("this system lets nobody type into a terminal (dev.tty.legacy_tiocsti)")
    program(command, PROBE)
    script = command.read_text()
    (line,) = [line for line in script.splitlines() if line.startswith("exec /usr/bin/python3")]
    command.write_text(script.replace(line, "exec " + line[line.index("setpriv") :]))
    with terminal(f"{command}; echo ready; read -r line; echo got $line") as own:
        own.sees("ready")
        own.sees("got typed by the account")


def test_what_is_typed_and_shown_is_passed_on(command: Path) -> None:
    program(command, "name = input('who? '); print(f'hello {name}')\nraise SystemExit(7)\n")
    with terminal(f"stty -a; {command}; echo status $?; stty -a; echo end") as own:
        own.sees("who? ")
        own.type("Anna\r")
        own.sees("hello Anna\r\n")
        own.sees("status 7")
        own.sees("end")


def test_the_terminal_is_as_it_was(command: Path) -> None:
    program(command, "import os, tty; tty.setraw(0); os.kill(os.getpid(), 9)\n")
    with terminal(f"stty -g; {command}; echo status $?; stty -g") as own:
        before = own.sees("\r\n")
        own.sees("status 137\r\n")
        assert own.sees("\r\n") == before


def test_it_has_the_size_of_the_terminal_also_when_that_changes(command: Path) -> None:
    program(command, (
        "import os, signal\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGWINCH])\n"
        "while True:\n"
        "    print('size', *os.get_terminal_size(0), flush=True)\n"
        "    signal.sigwait([signal.SIGWINCH])\n"
    ))  # fmt: skip
    with terminal(f"stty rows 31 cols 97; {command}") as own:
        own.sees("size 97 31")
        termios.tcsetwinsize(own.master, (40, 120))
        own.sees("size 120 40")


def test_the_key_that_interrupts_does(command: Path) -> None:
    program(command, "import time\nprint('at work', flush=True)\ntime.sleep(60)\n")
    with terminal(f"trap 'echo shell too' INT; {command} 2>/dev/null; echo status $?") as own:
        own.sees("at work")
        own.type("\x03")
        own.sees("status 130")


def test_the_key_that_stops_a_job_stops_it_until_it_goes_on(command: Path) -> None:
    program(command, "print('at work', flush=True)\nprint('heard', input(), flush=True)\n")
    # With job control the shell is told of a stopped job.
    with terminal(f"exec bash --norc --noprofile -ic '{command}; echo stopped $?; fg; echo status $?'") as own:
        own.sees("at work")
        own.type("\x1a")
        own.sees("stopped 1")
        own.type("word\r")
        own.sees("heard word")
        own.sees("status 0")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGINT])
def test_signals_reach_it(command: Path, number: signal.Signals) -> None:
    program(command, (
        f"import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [{int(number)}])\n"
        f"print('at work', flush=True)\nprint('ended by', int(signal.sigwait([{int(number)}])), flush=True)\n"
        "raise SystemExit(3)\n"
    ))  # fmt: skip
    with terminal(f'trap : {int(number)}; {command} & echo "job $!."; wait $!; wait $!; echo status $?') as own:
        own.sees("job ")
        job = int(own.sees("."))
        own.sees("at work")
        os.kill(job, number)
        own.sees(f"ended by {int(number)}")
        own.sees("status 3")


def test_a_pager_has_the_keyboard(command: Path) -> None:
    """While the output goes into a pipe, what is typed is for whoever reads it."""
    program(command, "import sys, time\nprint('page', flush=True)\nprint(repr(sys.stdin.read()), flush=True)\n")
    with terminal(f"{command} | sh -c 'read -r page; read -r key </dev/tty; echo pager has $page $key; cat'") as own:
        own.type("q\n")
        own.sees("pager has page q")
        own.sees("''")


def test_files_and_pipes_are_handed_over(command: Path) -> None:
    program(command, "import sys\nsys.stdout.write(sys.stdin.read().upper())\nsys.stderr.write('aside')\n")
    data = "word\n" * 100_000
    done = subprocess.run([command], input=data, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout, done.stderr) == (0, data.upper(), "aside")
    with terminal(f"printf 'a\\nb\\n' | {command} 2>/dev/null >{command.parent}/out; echo status $?") as own:
        own.sees("status 0")
    assert (command.parent / "out").read_bytes() == b"A\nB\n"


def test_much_output_is_shown_whole(command: Path) -> None:
    program(command, "for number in range(20000): print(f'line {number}.')\n")
    with terminal(str(command)) as own:
        assert own.ends() == 0
        lines = own.shown.split("\r\n")
    assert lines[:-1] == [f"line {number}." for number in range(20000)]


def test_its_end_is_the_end_whatever_it_left_behind(command: Path) -> None:
    program(command, (
        "import os, time\n"
        "if not os.fork():\n    os.setsid()\n    time.sleep(20)\n    raise SystemExit\n"
        "print('left one behind', flush=True)\n"
    ))  # fmt: skip
    began = time.monotonic()
    with terminal(f"{command}; echo status $?") as own:
        own.sees("status 0")
    assert time.monotonic() - began < 15


def test_a_folder_that_the_account_cannot_enter_is_named_in_full(command: Path) -> None:
    program(command, PROBE)
    closed = command.parent / "closed"
    closed.mkdir(mode=0o700)
    done = subprocess.run([command, "./file", "word"], cwd=closed, capture_output=True, text=True, timeout=PATIENCE)
    said = json.loads(done.stdout.removeprefix("said "))
    assert said["arguments"] == [f"{closed}/./file", "word"]
    assert said["folder"] == said["home"] == str(command.parent / "home")


def test_no_terminal_is_made_where_there_is_none(command: Path) -> None:
    program(command, PROBE)
    done = subprocess.run(
        [command], capture_output=True, text=True, timeout=PATIENCE, start_new_session=True, stdin=subprocess.DEVNULL
    )
    assert json.loads(done.stdout.removeprefix("said "))["terminals"] == [False, False, False]


def test_the_audit_learns_who_gives_the_command(command: Path) -> None:
    """Through the change of account, and with no more of root's environment than that."""
    program(command, (
        "import json, os\n"
        "told = ('APPLIANCE_USER', 'APPLIANCE_VIA', 'SSH_AUTH_SOCK', 'SSH_CONNECTION', 'SUDO_USER')\n"
        "print(json.dumps({name: os.environ[name] for name in told if name in os.environ}))\n"
    ))  # fmt: skip

    def told(**environ: str) -> object:
        path = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
        ran = subprocess.run([command], env=path | environ, stdin=subprocess.DEVNULL, capture_output=True, check=True)
        return json.loads(ran.stdout)

    assert told() == {"APPLIANCE_USER": "root"}
    assert told(SUDO_USER="ada", SSH_AUTH_SOCK="/x") == {"APPLIANCE_USER": "ada"}
    given = {"APPLIANCE_USER": "ada o'x", "APPLIANCE_VIA": "playbook", "SSH_CONNECTION": "::1 1 ::1 2"}
    assert told(SUDO_USER="deploy", **given) == given
