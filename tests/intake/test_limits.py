"""Whatever a network asks, it may ask it so often and no more."""

from __future__ import annotations

import pytest

from appliance.intake.limits import Limits
from appliance.intake.messages import (
    CommentRequest,
    DeleteRequest,
    Draft,
    FormRequest,
    NoticeRequest,
    PreviewRequest,
    Request,
    SearchRequest,
    Sender,
    SiteRequest,
    StatusRequest,
)
from appliance.intake.rates import Rates
from tests.conftest import MakeConfig

SENDER = Sender(address="192.0.2.7")


@pytest.mark.parametrize(
    ("request_", "limit"),
    [
        (CommentRequest(site="blog", draft=Draft(entry=1), sender=SENDER), 60),
        (CommentRequest(site="other", draft=Draft(entry=1), sender=SENDER), 60),
        (PreviewRequest(site="blog", draft=Draft(entry=1), sender=SENDER), 60),
        (FormRequest(site="blog", entry=1, sender=SENDER), 240),
        (SearchRequest(site="blog", query="tide", sender=SENDER), 120),
        (StatusRequest(site="blog", receipt="x", sender=SENDER), 1200),
        (DeleteRequest(site="blog", receipt="x", sender=SENDER), 60),
        (NoticeRequest(site="blog", action="confirm", token="x", sender=SENDER), 600),
        (SiteRequest(site="blog", sender=SENDER), 1200),
    ],
    ids=lambda value: getattr(value, "op", value),
)
def test_each_kind_of_request_has_a_limit(make_config: MakeConfig, request_: Request, limit: int) -> None:
    limits = Limits(make_config(), Rates(now=lambda: 0.0))
    assert [limits.refuse(request_) for _ in range(limit)] == [None] * limit
    for address, is_refused in (("192.0.2.7", True), ("192.0.2.250", True), ("192.0.3.7", False), ("::1", False)):
        answer = limits.refuse(request_.model_copy(update={"sender": Sender(address=address)}))
        assert (answer is not None and answer.reason == "limited") == is_refused
