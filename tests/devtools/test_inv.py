from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from functools import partial
from pathlib import Path

import pytest
from invoke import Context, Exit
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from devtools import checks, collections, molecule, wheelhouse

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text("utf-8")
HOSTS_LOCK = (ROOT / "requirements-hosts.lock").read_text("utf-8")
LOCKED = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", LOCK, re.MULTILINE))

#: A Python that makes environments of two small scripts and installs nothing, but writes down what is asked.
STUB = f"""#!/bin/sh
case "$*" in
    *_base_executable*) echo "$0" ;;
    "-m venv "*)
        echo venv >>"$STUB_LOG"
        mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && cp "$0" "$3/bin/appliance" ;;
    "-P -m devtools"*)
        shift 3
        echo started; printf "%s|" "$@"; echo "$PYTHONDONTWRITEBYTECODE" ;;
    "-m pip "*)
        echo "$*" >>"$STUB_LOG"
        echo a line of pip; exit "${{STUB_PIP:-0}}" ;;
    *) exec "{sys.executable}" "$@" ;;
esac
"""


class Checkout:
    """A folder with inv and the lock, a stub for Python, and a log of what that was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder.parent / "stub python"
        self.log = folder.parent / "log"
        folder.mkdir()
        for name in ("inv", "requirements.lock"):
            shutil.copy(ROOT / name, folder)
        self.program(self.python, STUB)
        self.program(folder.parent / "uv" / "uv", '#!/bin/sh\necho "uv $*" >>"$STUB_LOG"\nexit "${STUB_UV:-2}"\n')

    @property
    def path(self) -> str:
        """This machine's programs, but for uv, of which there is a stub that fails."""
        return f"{self.folder.parent / 'uv'}:{os.environ['PATH']}"

    def program(self, file: Path, text: str) -> None:
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, "utf-8")
        file.chmod(0o755)

    def start(self, *arguments: str, inv: Path | None = None, **environ: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [inv or self.folder / "inv", *arguments],
            cwd="/",
            env={
                "PATH": self.path,
                "PYTHON": str(self.python),
                "STUB_LOG": str(self.log),
                **environ,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, inv: Path | None = None, **environ: str) -> tuple[int, str, str]:
        process = self.start(*arguments, inv=inv, **environ)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    @property
    def asked(self) -> list[str]:
        return self.log.read_text("utf-8").splitlines() if self.log.exists() else []

    @property
    def builds(self) -> int:
        return self.asked.count("venv")


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "a check-out")


def test_the_environment_is_made_once_and_the_task_run(checkout: Checkout) -> None:
    status, out, err = checkout.run("greet", "--name=a b")
    assert (status, out) == (0, "started\ngreet|--name=a b|\n")
    assert len(err.splitlines()) == 1
    assert checkout.run("greet") == (0, "started\ngreet|\n", "")
    _, locked, project = [line for line in checkout.asked if not line.startswith("uv")]
    assert "--require-hashes" in locked
    assert "--no-deps --no-build-isolation --editable" in project


def test_uv_installs_where_it_is_and_pip_what_uv_cannot(checkout: Checkout) -> None:
    assert checkout.run(STUB_UV="0")[0] == 0
    assert [line.partition(" install ")[0] for line in checkout.asked] == ["venv", "uv pip", "uv pip"]
    assert all("--compile-bytecode" in line for line in checkout.asked[1:])
    (checkout.folder / ".venv" / ".ready").unlink()
    checkout.log.unlink()
    assert checkout.run(STUB_UV="2")[0] == 0
    tried = [line.partition(" install ")[0] for line in checkout.asked]
    assert tried == ["venv", "uv pip", "-m pip", "uv pip", "-m pip"]


def test_code_is_kept_compiled_whatever_the_environment_says(checkout: Checkout) -> None:
    module = checkout.folder / "appliance" / "module.py"
    module.parent.mkdir()
    module.write_text("")
    (module.parent / "broken.py").write_text("(")
    status, out, _ = checkout.run("greet", PYTHONDONTWRITEBYTECODE="1")
    assert (status, out) == (0, "started\ngreet|\n"), "the variable is not handed on"
    (compiled,) = (module.parent / "__pycache__").iterdir()
    assert compiled.name.startswith("module.")


@pytest.mark.parametrize("change", ["lock", "cut short", "moved", "gone"])
def test_the_environment_is_made_again_when_it_does_not_fit(checkout: Checkout, change: str) -> None:
    checkout.run()
    if change == "lock":
        with (checkout.folder / "requirements.lock").open("a") as lock:
            lock.write("# changed\n")
    elif change == "cut short":
        (checkout.folder / ".venv" / ".ready").unlink()
    elif change == "moved":
        checkout.folder = checkout.folder.rename(checkout.folder.with_name("elsewhere"))
    else:
        (checkout.folder / ".venv" / "bin" / "python").unlink()
    assert checkout.run()[0] == 0
    assert checkout.builds == 2
    assert checkout.run()[0] == 0
    assert checkout.builds == 2


def test_a_build_that_fails_is_told_and_done_again(checkout: Checkout) -> None:
    status, out, err = checkout.run("greet", STUB_PIP="1")
    assert (status, out) == (1, "")
    assert err.splitlines()[1:] == [
        "a line of pip",
        "inv: .venv could not be made; mend that and run this again (.venv.log tells all)",
    ]
    assert checkout.run("greet")[0] == 0
    assert checkout.builds == 2
    assert not (checkout.folder / ".venv.log").exists()


def test_two_at_once_make_one_environment(checkout: Checkout) -> None:
    started = [checkout.start("greet") for _ in range(2)]
    outcomes = [process.communicate(timeout=60)[0].splitlines()[0] for process in started]
    assert outcomes == ["started", "started"]
    assert checkout.builds == 1


def test_a_link_to_it_will_do(checkout: Checkout, tmp_path: Path) -> None:
    link = tmp_path / "linked"
    link.symlink_to(checkout.folder / "inv")
    assert checkout.run(inv=link)[:2] == (0, "started\n|\n")


def test_commands_that_only_look_like_python_are_passed_over(checkout: Checkout, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    checkout.program(programs / "python3.13", "#!/bin/sh\necho no such version >&2\nexit 127\n")
    checkout.program(programs / "python3.12", "#!/bin/sh\necho 2.7.18\nexit 1\n")
    checkout.program(programs / "python3.11", STUB)
    assert checkout.run(PYTHON="", PATH=f"{programs}:{checkout.path}")[0] == 0
    assert checkout.builds == 1


def test_a_named_python_that_does_not_run_is_told(checkout: Checkout) -> None:
    status, _, err = checkout.run(PYTHON="/nonexistent")
    assert status == 3
    assert err == ("inv: PYTHON names /nonexistent, which is no Python 3.11 or newer that runs; correct or unset it\n")


#: Only the refreshing of its lists may be told to fail.
APT = """#!/bin/sh
echo "apt-get $*" >>"$STUB_LOG"
[ "$1" != update ] || [ -z "$STUB_MIRROR" ] || { echo "$STUB_MIRROR" >&2; exit 100; }
"""


def bare(checkout: Checkout, user: int) -> str:
    """A PATH without rsync and ssh, whose `id` says that this is `user` and whose apt-get keeps a log."""
    programs = checkout.folder.parent / "bare"
    programs.mkdir()
    for name in [
        "sh",
        "cat",
        "chmod",
        "cksum",
        "cp",
        "cut",
        "dirname",
        "flock",
        "mkdir",
        "readlink",
        "rm",
        "sort",
        "tail",
        "tr",
    ]:
        (programs / name).symlink_to(str(shutil.which(name)))
    checkout.program(programs / "id", f"#!/bin/sh\necho {user}\n")
    checkout.program(programs / "apt-get", APT)
    return str(programs)


def test_missing_packages_are_named_to_others_than_root(checkout: Checkout) -> None:
    status, out, err = checkout.run("drain", PATH=bare(checkout, 1000))
    assert (status, out) == (3, "")
    assert err == "inv: for this task, please install these system packages: openssh-client rsync\n"
    assert checkout.asked == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may keep packages from starting their services")
def test_missing_packages_are_installed_by_root(checkout: Checkout) -> None:
    policy = Path("/usr/sbin/policy-rc.d")
    before = policy.exists()
    status, _, err = checkout.run("drain", PATH=bare(checkout, 0))
    assert status == 0
    assert err.startswith("inv: installing system packages: openssh-client rsync\n")
    update, install = [line for line in checkout.asked if line.startswith("apt-get")]
    assert update.startswith("apt-get update")
    assert re.fullmatch(r"apt-get install .*-y.* openssh-client rsync", install)
    assert policy.exists() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may keep packages from starting their services")
def test_a_mirror_that_fails_is_told_and_what_the_lists_name_is_installed(checkout: Checkout) -> None:
    status, out, err = checkout.run("drain", PATH=bare(checkout, 0), STUB_MIRROR="E: no mirror answers")
    assert (status, out) == (0, "started\ndrain|\n")
    assert err.splitlines()[:3] == [
        "inv: installing system packages: openssh-client rsync",
        "E: no mirror answers",
        "inv: the package lists could not all be refreshed; going on with those that are here",
    ]
    assert [line.split()[1] for line in checkout.asked if line.startswith("apt-get")] == ["update", "install"]


@pytest.mark.parametrize("script", ["inv", ".ci/run"])
def test_scripts_are_sound(script: str) -> None:
    shell = "sh" if script == "inv" else "bash"
    assert subprocess.run([shell, "-n", ROOT / script]).returncode == 0
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed, so only the syntax was checked")
    assert subprocess.run(["shellcheck", ROOT / script]).returncode == 0


def test_ci_tells_what_ran_and_passes_its_status_on(checkout: Checkout) -> None:
    closing = "===== 3 passed, 1 skipped in 2.00s ====="
    script = f"""#!/bin/sh
        echo "asked for $*"; read -r line && exit 9
        case $1 in test) echo {closing!r}; exit 4 ;; *) kill -INT $$; sleep 9 ;; esac
    """
    checkout.program(checkout.folder / "inv", script)
    (checkout.folder / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", checkout.folder / ".ci")
    status, out, _ = checkout.run(inv=checkout.folder / ".ci" / "run")
    assert status == 130, "interruptions are heard"
    lines = out.splitlines()
    molecule = "./inv molecule --scenario=default --scenario=cluster"
    assert "asked for test" in lines
    assert molecule.replace("./inv", "asked for") in lines
    summary = [re.sub(r"\d+ s\b", "n s", line) for line in lines[-4:]]
    assert summary == [
        "ci: ./inv test failed with status 4 (n s)",
        f"    {closing}",
        f"ci: {molecule} failed with status 130 (n s)",
        "ci: n s in all",
    ]


def test_ci_that_is_told_to_stop_has_its_step_tidy_up_and_stops(checkout: Checkout) -> None:
    script = """#!/bin/sh
        trap 'echo tidied; exit 1' TERM
        sleep 60 &
        echo "asked for $1"
        wait
    """
    checkout.program(checkout.folder / "inv", script)
    (checkout.folder / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", checkout.folder / ".ci")
    process = checkout.start(inv=checkout.folder / ".ci" / "run")
    try:
        assert process.stdout
        while "asked for test" not in process.stdout.readline():
            pass
        process.terminate()
        out, _ = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 143
    assert "tidied" in out.splitlines()


def wanted() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    groups = (
        project["project"]["dependencies"],
        project["dependency-groups"]["dev"],
        project["build-system"]["requires"],
    )
    return [Requirement(line) for group in groups for line in group]


@pytest.mark.parametrize("requirement", wanted(), ids=str)
def test_the_lock_holds_what_the_project_asks_for(requirement: Requirement) -> None:
    name = canonicalize_name(requirement.name)
    assert name in LOCKED, "run: ./inv lock"
    assert LOCKED[name] in requirement.specifier, "run: ./inv lock"


@pytest.mark.parametrize("text", [LOCK, HOSTS_LOCK], ids=["all", "hosts"])
def test_the_locks_name_packages_and_hashes_only(text: str) -> None:
    form = re.compile(r"[a-z0-9-]+==[^\s;]+( ; [^\\]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?")
    assert [line for line in text.splitlines() if not form.fullmatch(line)] == []


def test_hosts_install_what_the_tests_ran_with_and_no_tools() -> None:
    hosts = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", HOSTS_LOCK, re.MULTILINE))
    assert hosts.items() <= LOCKED.items(), "run: ./inv lock"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = {canonicalize_name(Requirement(line).name) for line in project["project"]["dependencies"]}
    assert wanted <= hosts.keys(), "run: ./inv lock"
    assert not {"pytest", "ansible-core", "ruff", "hatchling"} & hosts.keys()
    # The controller, whose Python may be another, decides by these what hosts need.
    assert not re.search(r"python_(full_)?version|platform_machine", HOSTS_LOCK)


def test_a_linter_that_fails_is_named_with_what_it_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    linters = {"good": ("-c", "print('fine')"), "bad": ("-c", "print('line 3 is odd'); raise SystemExit(1)")}
    monkeypatch.setattr(checks, "LINTERS", linters)
    with pytest.raises(Exit) as caught:
        checks.lint(Context())
    assert (caught.value.code, caught.value.message) == (1, "failed: bad")
    assert re.fullmatch(r"good: passed \(.*\)\nbad: failed \(.*\)\nline 3 is odd\n", capsys.readouterr().out)


def test_pytest_gets_the_words_given_and_its_failure_counts(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(checks, "LINTERS", {})
    (tmp_path / "test_it.py").write_text("def test_good(): pass\ndef test_bad(): assert False\n", "utf-8")
    options = f"-q --rootdir {tmp_path} -p no:cacheprovider {tmp_path}"
    with pytest.raises(Exit, match="failed: pytest"):
        checks.test(Context(remainder="-k 'good or bad'"), args=options)
    assert "1 failed, 1 passed" in capfd.readouterr().out
    checks.test(Context(remainder="-k good"), args=options)
    assert re.search(r"^1 passed in ", capfd.readouterr().out, re.MULTILINE)


def test_house_tasks_need_a_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(checks, "ROOT", tmp_path)
    for module in (molecule, collections, wheelhouse):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    tasks = (checks.test, checks.lint, checks.lock, checks.docs, collections.collections, wheelhouse.wheelhouse)
    for task in (*tasks, partial(molecule.molecule, scenario=[])):
        with pytest.raises(Exit, match="in a checkout") as caught:
            task(Context())
        assert caught.value.code == 3
