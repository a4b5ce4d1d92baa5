"""Sites as rows, made by processes that start at once."""

from __future__ import annotations

import os

from appliance import db
from appliance.content import sites
from appliance.content.models import Site
from tests.conftest import MakeConfig
from tests.postgresql import Server


def test_processes_that_start_at_once_make_each_site_once(make_config: MakeConfig, postgres: Server) -> None:
    config = make_config(database=postgres.fresh())
    db.connect(config).close()
    go, hold = os.pipe()
    children = []
    for _ in range(6):
        child = os.fork()
        if not child:
            status = 1
            try:
                os.close(hold)
                db.open_database(config)
                db.now()
                os.read(go, 1)  # returns for all at once, when the parent closes its end
                sites.sync(config)
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    os.close(go)
    os.close(hold)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 6
    opened = db.open_database(config)
    assert [site.name for site in Site.select()] == ["blog"]
    opened.close()
