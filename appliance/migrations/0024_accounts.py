"""Users with their roles, sessions, factors, links and tokens, and who owns which entry.

The release before goes on: it knows nothing of the new tables.
"""

from peewee import (
    SQL,
    AutoField,
    BigIntegerField,
    BooleanField,
    CompositeKey,
    DoubleField,
    ForeignKeyField,
    IntegerField,
    Model,
    TextField,
)


class Table(Model):
    class Meta:
        legacy_table_names = False


class Entry(Table):
    id = AutoField()


class User(Table):
    id = AutoField()
    name = TextField(unique=True)
    email = TextField(default="")
    former_email = TextField(default="")
    display = TextField(default="")
    password = TextField(default="")
    password_at = DoubleField(null=True)
    totp = TextField(null=True)
    totp_begun = TextField(null=True)
    totp_step = BigIntegerField(default=0)
    handle = TextField(unique=True)
    created_at = DoubleField()
    disabled_at = DoubleField(null=True)

    class Meta:
        table_name = "account"


User.add_index(User.index(User.email, unique=True, name="account_email", where=SQL("email <> ''")))


class RoleGrant(Table):
    user = ForeignKeyField(User, on_delete="CASCADE")
    site = TextField()
    role = TextField()

    class Meta:
        primary_key = CompositeKey("user", "site")


class Session(Table):
    id = IntegerField(primary_key=True)
    user = ForeignKeyField(User, on_delete="CASCADE")
    digest = TextField(unique=True)
    factors = TextField()
    address = TextField()
    agent = TextField()
    created_at = DoubleField()
    used_at = DoubleField(index=True)
    confirmed_at = DoubleField()


class Passkey(Table):
    id = AutoField()
    user = ForeignKeyField(User, on_delete="CASCADE")
    credential = TextField(unique=True)
    public_key = TextField()
    sign_count = BigIntegerField()
    label = TextField()
    synced = BooleanField()
    created_at = DoubleField()
    used_at = DoubleField(null=True)


class Challenge(Table):
    digest = TextField(primary_key=True)
    purpose = TextField()
    user = ForeignKeyField(User, null=True, on_delete="CASCADE")
    network = TextField(default="")
    created_at = DoubleField(index=True)


class RecoveryCode(Table):
    id = AutoField()
    user = ForeignKeyField(User, on_delete="CASCADE")
    salt = TextField()
    digest = TextField()
    used_at = DoubleField(null=True)


class OneTimeLink(Table):
    id = AutoField()
    user = ForeignKeyField(User, on_delete="CASCADE")
    purpose = TextField()
    digest = TextField(unique=True)
    created_at = DoubleField()
    expires_at = DoubleField(index=True)


class Token(Table):
    id = AutoField()
    user = ForeignKeyField(User, on_delete="CASCADE")
    label = TextField()
    digest = TextField(unique=True)
    scopes = TextField(null=True)
    sites = TextField(null=True)
    strong = BooleanField()
    created_at = DoubleField()
    expires_at = DoubleField()
    used_at = DoubleField(null=True)
    used_address = TextField(default="")
    revoked_at = DoubleField(null=True)


class SignInFailure(Table):
    id = AutoField()
    kind = TextField()
    account = TextField()
    network = TextField()
    at = DoubleField(index=True)


SignInFailure.add_index(SignInFailure.account, SignInFailure.at)
SignInFailure.add_index(SignInFailure.network, SignInFailure.at)


class KnownNetwork(Table):
    user = ForeignKeyField(User, on_delete="CASCADE")
    network = TextField()
    used_at = DoubleField(index=True)

    class Meta:
        primary_key = CompositeKey("user", "network")


class EntryOwner(Table):
    entry = ForeignKeyField(Entry, primary_key=True, on_delete="CASCADE")
    user = ForeignKeyField(User, on_delete="CASCADE")


MODELS = [
    User,
    RoleGrant,
    Session,
    Passkey,
    Challenge,
    RecoveryCode,
    OneTimeLink,
    Token,
    SignInFailure,
    KnownNetwork,
    EntryOwner,
]


def up(migrator, db):
    with db.bind_ctx(MODELS):
        db.create_tables(MODELS)
