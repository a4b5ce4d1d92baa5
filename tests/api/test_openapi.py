"""The OpenAPI document: it is valid, and the API is as it says, whatever is sent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation.hypothesis.builder import HypothesisTestConfig, HypothesisTestMode, create_test
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from appliance import config as settings_file
from appliance import db, editorial
from appliance.accounts import tokens, users
from appliance.accounts.rights import ACTIONS
from appliance.actor import Actor, acting
from appliance.content import sites
from appliance.web.admin.app import create_app
from appliance.web.api import dispatch, openapi
from appliance.web.api.resources import operations
from tests import postgresql
from tests.api.conftest import SITES, URL

CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
    response_headers_conformance,
]  # fmt: skip
STEADY = settings(
    max_examples=int(os.environ.get("APPLIANCE_EXAMPLES", "12")), derandomize=True, deadline=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
LABELS = [f"{method.upper()} {path}" for path, known in openapi.document()["paths"].items() for method in known]
#: Things that exist at first: with these ids, on the site, so that most cases reach what an operation does.
THERE = 4


@pytest.fixture(scope="module")
def schema() -> BaseSchema:
    return schemathesis.openapi.from_dict(openapi.document())


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Flask]]:
    """The token of an admin, of an installation with a few entries, comments and jobs."""
    folder = tmp_path_factory.mktemp("openapi")
    raw: dict[str, Any] = {"docroot": str(folder / "www"), "sites": SITES, "admin": {"url": URL}}
    raw["targets"] = [{"name": "front1", "address": str(folder / "front"), "other_path": True}]
    if request.param == "postgresql":
        server: postgresql.Server = request.getfixturevalue("postgres")
        raw["database"] = server.fresh()
    made = settings_file.validate(raw, folder / "appliance.toml")
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        opened = db.connect(made)
        stack.callback(opened.close)
        sites.sync(made)
        patch.setattr(dispatch, "MOST_REQUESTS", 10**6)
        patch.setattr(dispatch, "MOST_CHANGES", 10**6)
        with acting(Actor("root", "shell")):
            root = users.add_user("root", "root@example.org", roles={"*": "admin"})
            scopes = sorted(set(ACTIONS) - {"account.edit"})
            made_tokens = [tokens.create(root, f"token {n}", scopes=scopes)[0] for n in range(THERE + 1)]
            _fill(made, folder)
        yield made_tokens[-1], create_app(made)


def _fill(made: settings_file.Config, folder: Path) -> None:
    (folder / "file.txt").write_text("text")
    for n in range(THERE):
        entry = editorial.add_entry(
            made, "blog", f"Entry {n}", "Text", status="published", tags=[f"tag {n}"], categories=[f"News/{n}"],
            authors=[f"Author {n}"],
        ).subject  # fmt: skip
        editorial.add_comment(made, "blog", entry, "Text", author="Ida", email="ida@example.org")
        editorial.upload_asset(made, "blog", folder / "file.txt", f"file{n}.txt", entry=entry)


def test_the_document_is_valid() -> None:
    OPENAPI_31_VALIDATOR.validate(openapi.document())
    for schema in openapi.document()["components"]["schemas"].values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})


def test_every_operation_is_described() -> None:
    names = [one.name for one in operations()]
    assert len(names) == len(set(names)) > 50
    for one in operations():
        assert one.summary.endswith("."), one.name
        assert one.action in ACTIONS, one.name
        for model in filter(None, (one.query, one.body, one.answer)):
            assert model.__doc__ or model.__pydantic_generic_metadata__["origin"], model


@pytest.mark.parametrize("label", LABELS)
def test_the_api_is_as_its_document_says(schema: BaseSchema, api: tuple[str, Flask], label: str) -> None:
    """Cases are thought of here: `schema.parametrize` would do so for whoever looks for tests, which takes seconds."""
    modes = [HypothesisTestMode.EXAMPLES, HypothesisTestMode.FUZZING, HypothesisTestMode.COVERAGE]
    chosen = HypothesisTestConfig(modes=modes, settings=STEADY, project=schema.config)
    create_test(operation=schema.find_operation_by_label(label), test_func=check, config=chosen)(api=api)


def check(case: Any, api: tuple[str, Flask]) -> None:
    """Send a request and judge its answer."""
    for name, value in (case.path_parameters or {}).items():
        if name == "site":
            case.path_parameters[name] = "blog"
        elif name == "target":
            case.path_parameters[name] = "front1"
        elif isinstance(value, int):
            case.path_parameters[name] = value % (THERE + 1) + (value % (THERE + 1) == 0)
    case.headers.pop("Prefer", None)
    secret, app = api
    case.operation.app = case.operation.schema.app = app
    case.call_and_validate(headers={"Authorization": f"Bearer {secret}"}, checks=CHECKS)
