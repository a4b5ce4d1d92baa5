"""A running site for attacks, shared by the tests of a file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import web_stack
from tests.web_stack import WebStack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebStack]:
    with web_stack.web_stack(tmp_path_factory.mktemp("stack")) as made:
        yield made
