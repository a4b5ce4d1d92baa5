"""The secrets of authenticator apps, encrypted with a key that is not in the database.

The check of a code needs the secret itself, so that no hash can be kept. With a key file beside the settings
(`accounts.key`), a copy of the database or a backup of it yields no codes. Without one the secrets are stored as they
are, and documented so. The first key of the file seals, all of them open, so that keys can be changed; a secret that
another key sealed, or none, is sealed anew when its next code is accepted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from appliance import db
from appliance.errors import AccountError

#: The name of the key file, in the folder of the settings.
FILE_NAME: Final = "accounts.key"
_OPEN, _SEALED = "plain:", "sealed:"


def seal(secret: str) -> str:
    """Return the form in which a secret is stored."""
    keys = _keys()
    return _SEALED + keys[0].encrypt(secret.encode()).decode() if keys else _OPEN + secret


def unseal(stored: str) -> str:
    """Return a secret from its stored form.

    Raises:
        AccountError: its key is not on this host.
    """
    if stored.startswith(_OPEN):
        return stored.removeprefix(_OPEN)
    keys = _keys()
    try:
        if keys:
            return MultiFernet(keys).decrypt(stored.removeprefix(_SEALED)).decode()
    except InvalidToken:
        pass
    raise AccountError(
        f"The secret of the authenticator app was sealed with a key that this host does not have; copy {FILE_NAME}"
        " beside the settings from the host that has it, or remove the second factor with “appliance users.reset”."
    )


def resealed(stored: str) -> str:
    """Return the stored form that a secret should have now: the same one, unless the first key is another."""
    keys = _keys()
    if not keys:
        return stored
    if stored.startswith(_SEALED):
        try:
            keys[0].decrypt(stored.removeprefix(_SEALED))
        except InvalidToken:
            pass
        else:
            return stored
    return seal(unseal(stored))


def key_file() -> Path | None:
    """Return where the key file of this installation is, or would be."""
    config = db.opened_config()
    return None if config is None or config.path is None else config.path.with_name(FILE_NAME)


def _keys() -> list[Fernet]:
    file = key_file()
    try:
        lines = file.read_text("ascii").split() if file else []
        return [Fernet(line) for line in lines]
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise AccountError(f"{file} cannot be used: {error}; it holds one key of Fernet on each line.") from error
