"""Signed tokens: what they prove, how long they live, and the one key of all hosts."""

from __future__ import annotations

import threading

import pytest

from appliance import db, signing
from appliance.config import Config
from appliance.signing import CONFIRMATION_AGE, FORM_AGE, Signer

SIGNER = Signer("a key")
NOW = 1_800_000_000.0


def test_a_form_token_says_which_entry_and_how_old() -> None:
    token = SIGNER.form(7, NOW)
    read = SIGNER.read_form(token, 7, NOW + 3)
    assert read is not None
    assert (read.entry, read.age) == (7, 3.0)
    assert read.nonce == SIGNER.read_form(token, 7, NOW + 9).nonce  # type: ignore[union-attr]
    assert SIGNER.form(7, NOW) != token
    assert len(token) <= 200  # in a hidden field of every form


def test_a_form_token_is_for_one_entry_and_one_day() -> None:
    token = SIGNER.form(7, NOW)
    assert SIGNER.read_form(token, 8, NOW) is None
    assert SIGNER.read_form(token, 7, NOW + FORM_AGE - 1) is not None
    assert SIGNER.read_form(token, 7, NOW + FORM_AGE + 1) is None
    assert SIGNER.read_form(token, 7, NOW - 60) is None, "a token from the future"


def test_no_token_serves_another_purpose() -> None:
    form, receipt = SIGNER.form(7, NOW), SIGNER.receipt("nonce", NOW)
    confirm, end = (
        SIGNER.notice(7, "rosa@r.example", "confirm", NOW),
        SIGNER.notice(7, "rosa@r.example", "unsubscribe", NOW),
    )
    assert [SIGNER.read_form(token, 7, NOW) for token in (receipt, confirm, end)] == [None] * 3
    assert [SIGNER.read_receipt(token, NOW) for token in (form, confirm, end)] == [None] * 3
    assert [SIGNER.read_notice(token, "confirm", NOW) for token in (form, receipt, end)] == [None] * 3
    assert [SIGNER.read_notice(token, "unsubscribe", NOW) for token in (form, receipt, confirm)] == [None] * 3


@pytest.mark.parametrize("spoilt", ["", ".", "x", "\0", "é" * 40, "W10.W10"])
def test_what_was_not_signed_is_refused(spoilt: str) -> None:
    token = SIGNER.form(7, NOW)
    changed = [spoilt, token[:-1], f"{token}A", f"A{token}", token.swapcase(), Signer("other").form(7, NOW)]
    assert [SIGNER.read_form(one, 7, NOW) for one in changed] == [None] * 6
    assert SIGNER.read_receipt(spoilt, NOW) is None
    assert SIGNER.read_notice(spoilt, "confirm", NOW) is None


def test_confirming_expires_and_ending_does_not() -> None:
    late = NOW + CONFIRMATION_AGE + 1
    confirm, end = (SIGNER.notice(3, "rosa@r.example", action, NOW) for action in ("confirm", "unsubscribe"))
    assert SIGNER.read_notice(confirm, "confirm", NOW + 9)
    assert SIGNER.read_notice(confirm, "confirm", late) is None
    found = SIGNER.read_notice(end, "unsubscribe", late)
    assert found
    assert (found.notice, found.is_for("Rosa@r.example"), found.is_for("ida@r.example")) == (3, True, False)


def test_all_hosts_sign_with_one_key(database: Config) -> None:
    made: list[Signer] = []

    def load() -> None:
        made.append(signing.load_signer())
        db.disconnect()

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    token = made[0].form(1, NOW)
    assert len(made) == 8
    assert all(signer.read_form(token, 1, NOW) for signer in [*made, signing.load_signer()])
    ((key,),) = db.execute("SELECT value FROM secret").fetchall()
    assert len(key) > 40
