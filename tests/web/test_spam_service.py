"""A spam service judges comments of the running site, is told where a moderator decided against it, and may be away."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.content.models import Comment
from tests.akismet_service import KEY, AkismetService, akismet_service
from tests.web_stack import Answer, WebStack, web_stack

pytestmark = pytest.mark.slow


@pytest.fixture
def service() -> Iterator[AkismetService]:
    with akismet_service() as running:
        yield running


@pytest.fixture
def stack(tmp_path: Path, service: AkismetService) -> Iterator[WebStack]:
    key = tmp_path / "akismet.key"
    key.write_text(KEY, "utf-8")
    rules = {"spam_check": "akismet", "akismet_url": service.url, "akismet_key_file": str(key)}
    with web_stack(tmp_path, fronts=1, comments=rules, queue={"workers": 1}) as running:
        yield running


def moderate(stack: WebStack, verb: str, name: str) -> None:
    """Decide about the comment of an author, in the shell."""
    number = Comment.get(Comment.author_name == name).id
    command = [sys.executable, "-c", "from appliance.tasks import main; main()", f"comments.{verb}", str(number)]
    subprocess.run(command, cwd=stack.folder, check=True, capture_output=True)


def status(name: str) -> str:
    return str(Comment.get(Comment.author_name == name).status)


def post(stack: WebStack, name: str) -> Answer:
    stack.source = f"127.50.{Comment.select().count()}.1"
    return stack.comment("first", f"Words of {name}.", name=name, headers={"User_Agent": "Firefox"})


def test_a_service_judges_and_learns_from_moderators(stack: WebStack, service: AkismetService) -> None:
    for name in ("Ada", "viagra-test-123"):
        answer = post(stack, name)
        assert answer.status == 303 and "/comments/status?receipt=" in answer.location
    stack.await_that(lambda: "Words of Ada." in stack.page("first"))
    stack.await_that(lambda: status("viagra-test-123") == "spam")
    assert {fields["user_ip"] for _, fields in service.asked} == {"127.50.0.1", "127.50.1.1"}

    moderate(stack, "spam", "Ada")
    moderate(stack, "approve", "viagra-test-123")
    stack.await_that(lambda: len(service.reports) == 2)
    told = {fields["comment_author"]: call for call, fields in service.reports}
    assert told == {"Ada": "submit-spam", "viagra-test-123": "submit-ham"}
    stack.await_that(lambda: "Words of viagra-test-123." in stack.page("first"))
    stack.await_that(lambda: "Words of Ada." not in stack.page("first"))


def test_while_the_service_is_away_comments_wait_and_nobody_is_refused(
    stack: WebStack, service: AkismetService
) -> None:
    service.status = 503
    assert post(stack, "Bo").status == 303
    stack.await_that(lambda: service.asked)
    assert status("Bo") == "pending"
    service.status = 200
    stack.await_that(lambda: status("Bo") == "approved")
    moderate(stack, "spam", "Bo")
    stack.await_that(lambda: service.reports)
