"""The examples of the how-to, run as they are written against a real admin process behind nginx."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.accounts import tokens, users
from appliance.actor import Actor, acting
from tests.admin_stack import NAME, AdminStack, admin_stack
from tests.web_stack import Answer, UnixConnection, ask

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "use-the-api.md"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AdminStack]:
    with admin_stack(tmp_path_factory.mktemp("how-to")) as running:
        yield running


def token(**roles: str) -> str:
    with acting(Actor("root", "shell")):
        name = "-".join(roles.values())
        user = users.look_up(name) or users.add_user(name, roles=roles)
        return tokens.create(user, "how-to")[0]


def test_the_examples_work_as_they_are_written(stack: AdminStack, tmp_path: Path) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert len(blocks) > 8
    script = "\necho; echo ----\n".join(blocks).replace("https://admin.example.org", stack.url)
    curl = f'curl() {{ command curl --cacert {stack.folder / "cert.pem"} --max-time 60 "$@"; }}\n'
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", curl + script], cwd=tmp_path, capture_output=True, text=True, timeout=240,
        env={"PATH": "/usr/bin:/bin", "APPLIANCE_TOKEN": token(blog="editor")}, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    answers = ran.stdout.split("\n----\n")
    assert json.loads(answers[0])["name"] == "editor"
    status = json.loads(answers[2])
    assert (status["state"], status["is_readable"]) == ("built", True)
    assert json.loads(answers[3])["tags"] == ["releases"]
    assert json.loads(answers[4])["media_type"] == "text/csv"
    assert [row["slug"] for row in json.loads(answers[5])["rows"]].count("release-1-4") == 1
    assert "There is no comment 1" in answers[6]
    assert '"dry_run":true' in answers[7]
    assert json.loads(answers[8])["errors"]


def test_an_upload_as_large_as_allowed_arrives_and_a_larger_one_does_not(stack: AdminStack) -> None:
    secret, limit = token(blog="editor"), stack.config.admin.upload
    socket = Path(stack.config.path.parent, stack.config.admin.listen.removeprefix("unix:"))
    place = "/api/v1/sites/blog/assets?path=large.csv"

    def upload(size: int) -> Answer:
        # Past the web server, which has a limit of its own.
        headers = {"Host": f"{NAME}:{stack.port}", "Authorization": f"Bearer {secret}"}
        headers["Content-Type"] = "application/octet-stream"
        return ask(UnixConnection(socket), "POST", place, b"a" * size, headers)

    assert upload(limit + 1).status == 413
    taken = upload(limit)
    assert taken.status == 201, taken.text
    assert json.loads(taken.body)["size"] == limit


def test_the_document_is_served_to_everybody_and_lists_to_nobody(stack: AdminStack) -> None:
    document = stack.ask("GET", "/api/v1/openapi.json")
    assert (document.status, json.loads(document.body)["openapi"]) == (200, "3.1.0")
    assert stack.ask("GET", "/api/v1/sites").status == 401
