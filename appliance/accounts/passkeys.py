"""Passkeys (WebAuthn): key pairs that authenticators make for the admin application alone, and sign with.

A passkey is found by the authenticator itself, without a name typed, and used only after the authenticator has verified
its user by a fingerprint, a face or a PIN; so it is two factors at once, and cannot be phished or guessed. Each
challenge is kept here and answered once. A counter that does not rise tells of a copied authenticator; it is refused.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import webauthn
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from appliance import db
from appliance.accounts import acts, notices, recovery_codes
from appliance.accounts.locking import lock_enabled
from appliance.accounts.models import Passkey, User
from appliance.accounts.secret_digests import digest
from appliance.accounts.settings import CHALLENGE_LIFETIME, config_with_url, host_of
from appliance.content.networks import network_of
from appliance.db import NOW
from appliance.errors import AccountError

#: The most passkeys of a user, and the most characters of a label.
_MOST, _LABEL = 20, 100
#: The most challenges that wait for an answer from one network, so that strangers cannot fill the table.
_WAITING: Final = 100
_REQUIRED: Final = UserVerificationRequirement.REQUIRED
_TIMEOUT: Final = int(CHALLENGE_LIFETIME * 1000)


@dataclass(frozen=True, slots=True)
class PasskeyOptions:
    """What the browser's script gives to the authenticator."""

    #: The options as JSON, for `PublicKeyCredential.parse…OptionsFromJSON`.
    json: str
    #: The challenge in them, in base64url. It comes back with the response.
    challenge: str


@dataclass(frozen=True, slots=True)
class PasskeyRow:
    """A passkey, as its user sees it."""

    id: int
    label: str
    synced: bool
    created_at: float
    used_at: float | None


def registration_options(user: User) -> PasskeyOptions:
    """Return the options with which an authenticator makes a passkey for a user."""
    host = host_of(config_with_url())
    options = webauthn.generate_registration_options(
        rp_id=host,
        rp_name=host,
        user_name=user.name,
        user_id=base64url_to_bytes(user.handle),
        user_display_name=user.display,
        timeout=_TIMEOUT,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=_REQUIRED
        ),
        exclude_credentials=_descriptors(user),
    )
    return _kept("register", user, options)


def register(user: User, response: str, challenge: str, label: str = "") -> PasskeyRow:
    """Keep the passkey that an authenticator made.

    Args:
        user: for whom it was made.
        response: what the authenticator answered, as JSON.
        challenge: the one of the options.
        label: tells it from others.

    Raises:
        AccountError: the response is no answer to a challenge of this user's.
    """
    config = config_with_url()
    _spend("register", user, challenge)
    try:
        made = webauthn.verify_registration_response(
            credential=response,
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=host_of(config),
            expected_origin=config.admin.url.rstrip("/"),
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError, RecursionError) as error:
        raise AccountError("The passkey was not accepted; try once more, or use another authenticator.") from error
    name = _label(label) or "Passkey"
    credential = bytes_to_base64url(made.credential_id)
    with db.write():
        lock_enabled(user)
        if len(list_passkeys(user)) >= _MOST:
            raise AccountError(f"A user has {_MOST} passkeys at most; remove one first.")
        if Passkey.get_or_none(Passkey.credential == credential):
            raise AccountError("This passkey is registered already.")
        db.execute(
            "INSERT INTO passkey (user_id, credential, public_key, sign_count, label, synced, created_at)"
            f" VALUES (?, ?, ?, ?, ?, ?, {NOW})",
            [
                user.id, credential, bytes_to_base64url(made.credential_public_key), made.sign_count, name,
                made.credential_device_type is CredentialDeviceType.MULTI_DEVICE,
            ],
        )  # fmt: skip
        acts.record("user.add_passkey", user, after={"passkey": name})
        notices.enqueue_notice(user, "passkey")
        return next(row for row in list_passkeys(user) if row.label == name)


def authentication_options(user: User | None = None, address: str = "") -> PasskeyOptions:
    """Return the options for signing in: by any passkey, or only by one of this user's.

    Raises:
        AccountError: too many were asked for from the network of this address, without an answer.
    """
    network = "" if user else network_of(address)
    waiting = f"SELECT COUNT(*) FROM challenge WHERE created_at > {NOW} - ? AND network = ?"
    if network and db.execute(waiting, [CHALLENGE_LIFETIME, network]).fetchone()[0] >= _WAITING:
        raise AccountError("There were too many requests from your network. Wait a few minutes, or use a password.")
    options = webauthn.generate_authentication_options(
        rp_id=host_of(config_with_url()),
        timeout=_TIMEOUT,
        allow_credentials=_descriptors(user) if user else None,
        user_verification=_REQUIRED,
    )
    return _kept("sign-in", user, options, network)


def authenticate(response: str, challenge: str, user: User | None = None) -> User:
    """Return whose passkey has signed a challenge; with `user`, only if it is theirs.

    Raises:
        AccountError: it is no answer to a challenge, or not by a passkey that is known and may sign in.
    """
    refused = AccountError("The passkey was not accepted; try once more, or sign in in another way.")
    config = config_with_url()
    _spend("sign-in", user, challenge)
    passkey = _passkey_of(response)
    if passkey is None or (user is not None and passkey.user_id != user.id):
        raise refused
    try:
        found = webauthn.verify_authentication_response(
            credential=response,
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=host_of(config),
            expected_origin=config.admin.url.rstrip("/"),
            credential_public_key=base64url_to_bytes(passkey.public_key),
            credential_current_sign_count=passkey.sign_count,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError, RecursionError) as error:
        raise refused from error
    with db.write():
        # The condition refuses the second of two answers with one count, on whichever host it arrives.
        counted = db.execute(
            f"UPDATE passkey SET sign_count = ?, used_at = {NOW} WHERE id = ?"
            " AND (sign_count < ? OR (sign_count = 0 AND CAST(? AS BIGINT) = 0)) RETURNING id",
            [found.new_sign_count, passkey.id, found.new_sign_count, found.new_sign_count],
        ).fetchone()
    owner = User.get_by_id(passkey.user_id)
    if counted is None or owner.disabled_at is not None:
        raise refused
    return owner


def list_passkeys(user: User) -> list[PasskeyRow]:
    """Return the passkeys of a user, the newest first."""
    found = Passkey.select().where(Passkey.user == user.id).order_by(Passkey.id.desc())
    return [PasskeyRow(one.id, one.label, one.synced, one.created_at, one.used_at) for one in found]


def rename(user: User, number: int, label: str) -> None:
    """Give a passkey of a user another label.

    Raises:
        AccountError: the user has no such passkey, or the label is empty.
    """
    name = _label(label)
    if not name:
        raise AccountError("Give the passkey a label that tells it from others.")
    with db.write():
        found = Passkey.get_or_none(Passkey.id == number, Passkey.user == user.id)
        if found is None:
            raise AccountError("There is no such passkey; list them again.")
        if found.label != name:
            Passkey.update(label=name).where(Passkey.id == number).execute()
            acts.record("user.rename_passkey", user, before={"passkey": found.label}, after={"passkey": name})


def remove(user: User, number: int) -> None:
    """Remove a passkey of a user. Recovery codes end too if no second factor is left.

    Raises:
        AccountError: the user has no such passkey.
    """
    with db.write():
        gone = db.execute(
            "DELETE FROM passkey WHERE id = ? AND user_id = ? RETURNING label", [number, user.id]
        ).fetchone()
        if gone is None:
            raise AccountError("There is no such passkey; list them again.")
        acts.record("user.remove_passkey", user, before={"passkey": gone[0]})
        notices.enqueue_notice(user, "no-passkey")
        recovery_codes.remove_unneeded(user)


def _label(text: str) -> str:
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:_LABEL]


def _descriptors(user: User) -> list[PublicKeyCredentialDescriptor]:
    found = Passkey.select(Passkey.credential).where(Passkey.user == user.id)
    return [PublicKeyCredentialDescriptor(id=base64url_to_bytes(one.credential)) for one in found]


def _passkey_of(response: str) -> Passkey | None:
    try:
        credential = json.loads(response)["id"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return Passkey.get_or_none(Passkey.credential == credential) if isinstance(credential, str) else None


def _kept(purpose: str, user: User | None, options: Any, network: str = "") -> PasskeyOptions:
    challenge = bytes_to_base64url(options.challenge)
    with db.write():
        db.execute(
            f"INSERT INTO challenge (digest, purpose, user_id, network, created_at) VALUES (?, ?, ?, ?, {NOW})",
            [digest(challenge), purpose, user.id if user else None, network],
        )
    return PasskeyOptions(webauthn.options_to_json(options), challenge)


def _spend(purpose: str, user: User | None, challenge: str) -> None:
    """Use a challenge up.

    Raises:
        AccountError: it was not given out for this, is too old, or was used.
    """
    with db.write():
        found = db.execute(
            f"DELETE FROM challenge WHERE digest = ? RETURNING purpose, user_id, created_at > {NOW} - ?",
            [digest(challenge), CHALLENGE_LIFETIME],
        ).fetchone()
    if found is None or (found[0], found[1], bool(found[2])) != (purpose, user.id if user else None, True):
        raise AccountError("The time for this passkey is over; try once more.")
