"""The database tables of users, their roles, and what they sign in with.

No secret can be read from these tables: passwords are kept as Argon2 hashes, the secrets of sessions, links and tokens
as digests, recovery codes as salted digests. Only an authenticator app's secret has to be readable; `sealing` says how
it is kept. Times are seconds since the epoch by the database's clock, so that the limits hold for all hosts together.

Users are disabled, never deleted, since SQLite would give a deleted user's id, and with it what it owned, to the next.
"""

from __future__ import annotations

from peewee import (
    SQL,
    AutoField,
    BigIntegerField,
    BooleanField,
    CompositeKey,
    DoubleField,
    ForeignKeyField,
    IntegerField,
    TextField,
)

from appliance.content.models import Entry
from appliance.db import BaseModel


class User(BaseModel):
    """A person, or a program with a user of its own."""

    id = AutoField()
    #: The name for signing in, in lower case.
    name = TextField(unique=True)
    #: In lower case; empty if there is none.
    email = TextField(default="")
    #: The address before it was changed, until it has been told so; empty otherwise.
    former_email = TextField(default="")
    #: The name that others see.
    display = TextField(default="")
    #: An Argon2 hash; empty if there is no password yet.
    password = TextField(default="")
    password_at = DoubleField(null=True)
    #: The secret of the authenticator app, and the one that waits for its first code; sealed.
    totp = TextField(null=True)
    totp_begun = TextField(null=True)
    #: The time step of the last code that was accepted. A code counts once.
    totp_step = BigIntegerField(default=0)
    #: Names the user to authenticators of passkeys, in base64url.
    handle = TextField(unique=True)
    created_at = DoubleField()
    disabled_at = DoubleField(null=True)

    class Meta:
        """“user” is a word of SQL."""

        table_name = "account"


User.add_index(User.index(User.email, unique=True, name="account_email", where=SQL("email <> ''")))


class RoleGrant(BaseModel):
    """The role of a user on a site, or on all sites."""

    user_id: int
    user = ForeignKeyField(User, backref="grants", on_delete="CASCADE")
    #: The name of a site, or `*`.
    site = TextField()
    role = TextField()

    class Meta:
        """A user has one role on a site."""

        primary_key = CompositeKey("user", "site")


class Session(BaseModel):
    """A browser in which a user has signed in."""

    #: Chosen at random, since SQLite gives ids of deleted rows out again: a list of sessions that was shown before must
    #: not end another one now.
    id = IntegerField(primary_key=True)
    user_id: int
    user = ForeignKeyField(User, backref="sessions", on_delete="CASCADE")
    #: The SHA-256 of the secret in the cookie.
    digest = TextField(unique=True)
    #: What the user has shown so far: `password`, `totp`, `recovery`, `passkey`; separated by spaces.
    factors = TextField()
    address = TextField()
    agent = TextField()
    created_at = DoubleField()
    used_at = DoubleField(index=True)
    #: When the user last showed a password or another factor.
    confirmed_at = DoubleField()


class Passkey(BaseModel):
    """A passkey: the public half of a key pair that an authenticator made for this user."""

    id = AutoField()
    user_id: int
    user = ForeignKeyField(User, backref="passkeys", on_delete="CASCADE")
    #: Both in base64url.
    credential = TextField(unique=True)
    public_key = TextField()
    #: How often the authenticator says that it has signed; 0 if it does not count.
    sign_count = BigIntegerField()
    label = TextField()
    #: Whether it is kept in more than one place, such as an account of the browser's maker.
    synced = BooleanField()
    created_at = DoubleField()
    used_at = DoubleField(null=True)


class Challenge(BaseModel):
    """A question that an authenticator is to sign. It is used once."""

    #: The SHA-256 of the challenge.
    digest = TextField(primary_key=True)
    #: `register` or `sign-in`.
    purpose = TextField()
    user_id: int | None
    #: Who may answer; null for whoever owns a passkey.
    user = ForeignKeyField(User, null=True, on_delete="CASCADE")
    #: Of whoever asked without having signed in; empty otherwise.
    network = TextField(default="")
    created_at = DoubleField(index=True)


class RecoveryCode(BaseModel):
    """A code that stands in for a lost second factor, once."""

    id = AutoField()
    user_id: int
    user = ForeignKeyField(User, backref="recovery_codes", on_delete="CASCADE")
    salt = TextField()
    digest = TextField()
    used_at = DoubleField(null=True)


class OneTimeLink(BaseModel):
    """A link with which a user sets a password, once."""

    id = AutoField()
    user_id: int
    user = ForeignKeyField(User, backref="links", on_delete="CASCADE")
    #: `invitation` or `reset`.
    purpose = TextField()
    #: The SHA-256 of the secret in the link.
    digest = TextField(unique=True)
    created_at = DoubleField()
    expires_at = DoubleField(index=True)


class Token(BaseModel):
    """A secret with which a program acts for a user."""

    id = AutoField()
    user_id: int
    user = ForeignKeyField(User, backref="tokens", on_delete="CASCADE")
    label = TextField()
    #: The SHA-256 of the secret.
    digest = TextField(unique=True)
    #: Names of actions and of groups of actions, separated by spaces; null for no limit.
    scopes = TextField(null=True)
    #: Names of sites, separated by spaces; null for no limit.
    sites = TextField(null=True)
    #: Whether it was made with a second factor or on the shell. Only then it has roles that need a second factor.
    strong = BooleanField()
    created_at = DoubleField()
    expires_at = DoubleField()
    used_at = DoubleField(null=True)
    used_address = TextField(default="")
    revoked_at = DoubleField(null=True)


class SignInFailure(BaseModel):
    """A wrong password or code. A row is written before the check, and deleted if the check passes."""

    id = AutoField()
    #: `password`, `code` or `link`: what was tried.
    kind = TextField()
    #: A digest of the user's name, or of what was typed in its place, so that both are limited alike.
    account = TextField()
    #: The network that it came from; empty if unknown.
    network = TextField()
    at = DoubleField(index=True)


SignInFailure.add_index(SignInFailure.account, SignInFailure.at)
SignInFailure.add_index(SignInFailure.network, SignInFailure.at)


class KnownNetwork(BaseModel):
    """A network that a user has signed in from. Failures from elsewhere do not keep the user out there."""

    user_id: int
    user = ForeignKeyField(User, on_delete="CASCADE")
    network = TextField()
    used_at = DoubleField(index=True)

    class Meta:
        """A network is remembered once."""

        primary_key = CompositeKey("user", "network")


class EntryOwner(BaseModel):
    """The user whose own an entry is."""

    entry_id: int
    entry = ForeignKeyField(Entry, primary_key=True, on_delete="CASCADE")
    user_id: int
    user = ForeignKeyField(User, on_delete="CASCADE")
