"""Keys and secrets come onto a host from variables, also from a vault: each for its account alone, shown nowhere."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.fernet import Fernet

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to an account")]

KEYS = ["Refuse keys of the accounts that cannot be used", "Write the keys of the accounts"]
OLD, NEW = "an-old-secret-of-a-webhook", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
WHERE: dict[str, Any] = {
    "appliance_secrets_variable": "publisher_webhook_secrets",
    "appliance_secrets_owner": "nobody",
    "appliance_secrets_group": "nogroup",
}

Carry = Callable[..., int]


def about(folder: Path) -> dict[str, tuple[str, str, str]]:
    """The files of a folder by name: mode, owner and text."""
    return {
        file.name: (f"{file.stat().st_mode & 0o7777:o}", file.owner(), file.read_text()) for file in folder.iterdir()
    }


def test_secrets_are_written_changed_and_withdrawn(place: Path, carry_out: Carry) -> None:
    folder = place / "webhooks"

    def write(secrets: dict[str, Any]) -> int:
        return carry_out(
            "appliance", "write_secrets.yml", **WHERE, appliance_secrets=secrets, appliance_secrets_folder=folder
        )

    assert write({}) == 0
    assert not folder.exists()
    assert write({"deploy": [OLD], "chat": [OLD]}) == 2
    assert (f"{folder.stat().st_mode & 0o7777:o}", folder.owner()) == ("750", "root")
    assert about(folder)["deploy.secret"] == ("600", "nobody", f"{OLD}\n")
    assert write({"deploy": [NEW, OLD]}) == 2
    beside = folder / "notes.txt"
    beside.write_text("of the operator")
    assert set(about(folder)) == {"deploy.secret", "notes.txt"}
    assert about(folder)["deploy.secret"][2] == f"{NEW}\n{OLD}\n"
    assert write({"deploy": [NEW, OLD]}) == 0
    assert write({}) == 1
    assert set(about(folder)) == {"notes.txt"}


@pytest.mark.parametrize(
    "secrets",
    [{"../deploy": [OLD]}, {"deploy": OLD}, {"deploy": []}, {"deploy": ["short"]}, {"deploy": [f"{OLD}\n{NEW}"]}],
    ids=["a path", "no list", "none", "short", "two in one"],
)
def test_what_cannot_be_a_secret_is_refused_and_not_shown(
    tmp_path: Path, place: Path, carry_out: Carry, secrets: dict[str, Any]
) -> None:
    carry_out(
        "appliance", "write_secrets.yml", **WHERE, appliance_secrets=secrets,
        appliance_secrets_folder=place / "webhooks",
        fails="publisher_webhook_secrets: each name is of letters, digits, hyphens and underscores",
    )  # fmt: skip
    assert not (place / "webhooks").exists()
    assert OLD not in (tmp_path / "said").read_text()


def test_keys_of_the_accounts_come_from_a_vault(tmp_path: Path, place: Path, carry_out: Carry) -> None:
    first, second = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    password, vault = tmp_path / "password", tmp_path / "vault.yml"
    password.write_text("open sesame\n")

    def write(*keys: str) -> int:
        vault.write_text(yaml.safe_dump({"admin_accounts_keys": list(keys)}))
        encrypt = [str(Path(sys.executable).with_name("ansible-vault")), "encrypt", str(vault)]
        subprocess.run([*encrypt, f"--vault-password-file={password}"], check=True, capture_output=True)
        assert first not in vault.read_text()
        done = carry_out(
            "admin", "settings.yml", KEYS,
            vault=(vault, password), admin_folder=str(place), admin_runs_as="nobody", admin_reads_as="nogroup",
        )  # fmt: skip
        said = (tmp_path / "said").read_text()
        assert not any(key in said for key in keys)
        return done

    assert write(first) == 1
    assert about(place) == {"accounts.key": ("600", "nobody", f"{first}\n")}
    assert write(second, first) == 1
    assert about(place)["accounts.key"][2] == f"{second}\n{first}\n"
    assert write(second, first) == 0
    assert write() == 0, "secrets in the database may need the keys that are there"
    assert about(place)["accounts.key"][2] == f"{second}\n{first}\n"


def test_a_key_that_is_none_is_refused_and_not_shown(tmp_path: Path, place: Path, carry_out: Carry) -> None:
    carry_out(
        "admin", "settings.yml", KEYS,
        admin_folder=str(place), admin_runs_as="nobody", admin_reads_as="nogroup", admin_accounts_keys=[OLD],
        fails="a key is 32 random bytes in base64 for URLs",
    )  # fmt: skip
    assert OLD not in (tmp_path / "said").read_text()
    assert not list(place.iterdir())
