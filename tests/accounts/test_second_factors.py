"""Codes of authenticator apps and recovery codes: each counts once."""

from __future__ import annotations

from pathlib import Path

import pyotp
import pytest
from cryptography.fernet import Fernet

from appliance import db
from appliance.accounts import factors, recovery_codes, sealing, sessions, totp
from appliance.accounts.models import RecoveryCode, User
from appliance.config import Config
from appliance.errors import AccountError
from tests.accounts.conftest import HOME, acts

STEP = 30


@pytest.fixture
def app(ada: User) -> pyotp.TOTP:
    """The authenticator app of ada, set up some steps ago."""
    db.backend().now_at(-20 * STEP)
    secret, _ = totp.begin(ada)
    found = pyotp.TOTP(secret)
    totp.confirm(ada, found.at(db.now()))
    db.backend().now_at(0)
    return found


def code(app: pyotp.TOTP, steps: int = 0) -> str:
    return app.at(int(db.now()), counter_offset=steps)


def test_the_address_for_apps_names_the_user_and_the_host(ada: User) -> None:
    secret, address = totp.begin(ada)
    parsed = pyotp.parse_uri(address)
    assert (parsed.secret, parsed.name, parsed.issuer) == (secret, "ada", "admin.example")
    assert len(secret) == 32, "160 bits, as RFC 4226 advises"


def test_a_code_counts_once(ada: User, app: pyotp.TOTP) -> None:
    given = code(app)
    assert totp.check(ada, f" {given[:3]} {given[3:]}")
    assert not totp.check(ada, given)
    assert totp.check(ada, code(app, 1)), "the next one is another"
    assert not totp.check(ada, code(app, 0)), "and none before it counts any more"


@pytest.mark.parametrize(("steps", "taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_clocks_may_differ_by_a_step(ada: User, app: pyotp.TOTP, steps: int, taken: bool) -> None:
    assert totp.check(ada, code(app, steps)) is taken


def test_a_code_of_the_setting_up_does_not_count_again(ada: User) -> None:
    secret, _ = totp.begin(ada)
    given = code(pyotp.TOTP(secret))
    totp.confirm(ada, given)
    assert not totp.check(ada, given)


def test_nothing_is_asked_for_before_a_code_was_right(ada: User) -> None:
    secret, address = totp.begin(ada)
    with pytest.raises(AccountError, match="not the code"):
        totp.confirm(ada, "000000")
    assert totp.begun(ada) == (secret, address)
    assert not totp.check(ada, code(pyotp.TOTP(secret)))
    totp.confirm(ada, code(pyotp.TOTP(secret)))
    assert totp.begun(ada) is None
    with pytest.raises(AccountError, match="not the code"):
        totp.confirm(ada, code(pyotp.TOTP(secret), 1))


def test_a_new_app_takes_the_place_of_the_old_one(ada: User, app: pyotp.TOTP) -> None:
    secret, _ = totp.begin(ada)
    assert totp.check(ada, code(app)), "until it is confirmed"
    totp.confirm(ada, code(pyotp.TOTP(secret)))
    assert not totp.check(ada, code(app, 1))
    assert totp.check(ada, code(pyotp.TOTP(secret), 1))


def test_recovery_codes_count_once_each(ada: User) -> None:
    codes = recovery_codes.create(ada)
    assert len(set(codes)) == 10
    assert recovery_codes.use(ada, codes[3].upper().replace("-", " "))
    assert not recovery_codes.use(ada, codes[3])
    assert recovery_codes.left(ada) == 9
    assert all(one not in str([row.__data__ for row in RecoveryCode.select()]) for one in codes)
    assert acts()[-2:] == ["user.make_recovery_codes", "user.use_recovery_code"]


def test_new_recovery_codes_end_the_old_ones(ada: User) -> None:
    old = recovery_codes.create(ada)
    new = recovery_codes.create(ada)
    assert not recovery_codes.use(ada, old[0])
    assert recovery_codes.use(ada, new[0])


def test_recovery_codes_end_with_the_last_factor(ada: User, app: pyotp.TOTP) -> None:
    recovery_codes.create(ada)
    totp.remove(ada)
    assert recovery_codes.left(ada) == 0


def test_somebody_who_lost_everything_begins_anew(ada: User, app: pyotp.TOTP) -> None:
    codes = recovery_codes.create(ada)
    secret, _ = sessions.start(ada, HOME, factors=["password", "totp"])
    factors.remove_all(ada)
    assert sessions.find(secret, HOME) is None
    assert not totp.check(ada, code(app))
    assert not recovery_codes.use(ada, codes[0])


class TestSealing:
    """Secrets of apps, with a key file beside the settings."""

    @pytest.fixture
    def key_file(self, installation: Config) -> Path:
        assert installation.path is not None
        return installation.path.with_name("accounts.key")

    def test_without_a_key_file_secrets_are_stored_as_they_are(self, ada: User, app: pyotp.TOTP) -> None:
        assert User.get_by_id(ada.id).totp == f"plain:{app.secret}"

    def test_with_one_the_next_code_seals_the_secret(self, ada: User, app: pyotp.TOTP, key_file: Path) -> None:
        key_file.write_bytes(Fernet.generate_key() + b"\n")
        assert totp.check(ada, code(app))
        stored = User.get_by_id(ada.id).totp
        assert app.secret not in stored
        assert totp.check(ada, code(app, 1))
        assert User.get_by_id(ada.id).totp == stored

    def test_keys_can_be_changed(self, ada: User, app: pyotp.TOTP, key_file: Path) -> None:
        old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
        key_file.write_text(old)
        assert totp.check(ada, code(app, -1))
        key_file.write_text(f"{new}\n{old}\n")
        assert totp.check(ada, code(app))
        key_file.write_text(new)
        assert totp.check(ada, code(app, 1))

    def test_a_host_without_the_key_says_what_is_missing(self, ada: User, app: pyotp.TOTP, key_file: Path) -> None:
        key_file.write_bytes(Fernet.generate_key())
        assert totp.check(ada, code(app))
        for content in (None, Fernet.generate_key().decode()):
            key_file.unlink() if content is None else key_file.write_text(content)
            with pytest.raises(AccountError, match=r"copy accounts\.key"):
                totp.check(ada, code(app, 1))

    @pytest.mark.parametrize("content", ["no key", "ä"])
    def test_a_damaged_key_file_is_named(self, ada: User, key_file: Path, content: str) -> None:
        key_file.write_text(content, "utf-8")
        with pytest.raises(AccountError, match=r"accounts\.key cannot be used"):
            sealing.seal("secret")
