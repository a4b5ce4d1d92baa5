from __future__ import annotations

import pytest
from invoke import Exit

from appliance.tasks.console import command


def test_a_file_that_the_account_may_not_use_is_a_sentence() -> None:
    @command
    def read(verbose: bool = False) -> None:
        raise PermissionError(13, "Permission denied", "/root/posts")

    with pytest.raises(Exit) as left:
        read()
    assert left.value.code == 1
    assert str(left.value.message).startswith("/root/posts: ")
    assert "may not use it; give it leave" in str(left.value.message)
    with pytest.raises(PermissionError):
        read(verbose=True)
