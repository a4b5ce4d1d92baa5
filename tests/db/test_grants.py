"""What the role of the admin application may do on PostgreSQL: what its table of rights says, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from appliance import db
from appliance.config import Config
from appliance.db import grants
from tests.conftest import MakeConfig
from tests.postgresql import Server

RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")


@pytest.fixture
def granted(postgres: Server, make_config: MakeConfig) -> Iterator[Config]:
    """An installation on PostgreSQL whose server has the role."""
    config = make_config(database=postgres.fresh())
    with psycopg.connect(config.database, autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [grants.ROLE]).fetchone() is None:
            connection.execute(f"CREATE ROLE {grants.ROLE} LOGIN")
    opened = db.connect(config)
    assert db.grant()
    yield config
    with db.write():
        db.execute(f"DROP OWNED BY {grants.ROLE}")
    opened.close()
    with psycopg.connect(config.database, autocommit=True) as connection:
        connection.execute(f"DROP ROLE {grants.ROLE}")


def as_admin(config: Config) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(config.database.replace("appliance@", f"{grants.ROLE}@"), autocommit=True)


def test_every_table_has_a_row_and_the_role_its_rights_alone(granted: Config) -> None:
    tables = set(db.database.get_tables())
    assert tables == set(grants.GRANTS), "say in appliance/db/grants.py what the admin application may do with a table"
    with as_admin(granted) as admin:
        for table in sorted(tables):
            asked = ", ".join(f"has_table_privilege('public.\"{table}\"', '{right}')" for right in RIGHTS)
            found = admin.execute(f"SELECT {asked}").fetchone()  # type: ignore[call-overload]
            assert found is not None
            assert {right for right, has in zip(RIGHTS, found, strict=True) if has} == set(grants.GRANTS[table]), table


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET action = 'x'",
        "DELETE FROM audit",
        "TRUNCATE audit",
        "SELECT * FROM secret",
        "INSERT INTO publication DEFAULT VALUES",
        "DELETE FROM artifact",
        "CREATE TABLE planted (x int)",
        "ALTER TABLE audit DISABLE TRIGGER ALL",
        "DROP TABLE audit",
        "SET ROLE appliance",
        "COPY entry TO PROGRAM 'true'",
        "SELECT pg_read_file('/etc/passwd')",
    ],
)
def test_what_is_not_granted_is_refused(granted: Config, statement: str) -> None:
    with as_admin(granted) as admin, pytest.raises(psycopg.errors.InsufficientPrivilege):
        admin.execute(statement)  # type: ignore[call-overload]


def test_rights_that_somebody_gave_are_taken_away(granted: Config) -> None:
    with db.write():
        db.execute(f"GRANT ALL ON secret, audit TO {grants.ROLE}")
    assert db.grant()
    with as_admin(granted) as admin, pytest.raises(psycopg.errors.InsufficientPrivilege):
        admin.execute("SELECT * FROM secret")


def test_the_role_can_insert_where_it_may(granted: Config) -> None:
    with as_admin(granted) as admin:
        for table, rights in grants.GRANTS.items():
            query = (
                "SELECT pg_get_serial_sequence(%s, column_name) FROM information_schema.columns WHERE table_name = %s"
            )
            for (sequence,) in admin.execute(query, [f'public."{table}"', table]).fetchall():
                if sequence:
                    usable = admin.execute("SELECT has_sequence_privilege(%s, 'USAGE')", [sequence]).fetchone()
                    assert usable == ("INSERT" in rights,), sequence


def test_without_the_role_nothing_is_granted(database: Config) -> None:
    assert not db.grant()
