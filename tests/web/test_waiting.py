"""How many requests of a web worker may wait for a front end at once."""

from __future__ import annotations

import pytest

from appliance.web.public.waiting import WaitingSlots


@pytest.mark.parametrize(("threads", "may_wait"), [(1, 0), (2, 1), (5, 2)])
def test_half_of_the_threads_may_wait(threads: int, may_wait: int) -> None:
    slots = WaitingSlots(threads)
    waiting = [slots.seconds(otherwise=0.25) for _ in range(threads)]
    assert [one.__enter__() for one in waiting] == [1.0] * may_wait + [0.25] * (threads - may_wait)
    for one in waiting:
        one.__exit__(None, None, None)
    with slots.seconds() as seconds:
        assert seconds == (1.0 if may_wait else 0.0), "those that ended have made room"
