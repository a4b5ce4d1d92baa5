"""Figures for Prometheus: read from the database at the moment they are asked for, over HTTP and into a file."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families as parsed

from appliance import clock, db
from appliance.config import Config
from appliance.delivery import cursors, journal
from appliance.delivery.journal import Put
from appliance.delivery.targets import front_ends
from appliance.demo.frontend import HOST, free_port
from appliance.errors import ConfigError
from appliance.queue import store
from appliance.queue.enqueue import JobRequest, enqueue
from appliance.queue.processes import RegisteredProcess
from appliance.running import metrics
from tests.conftest import MakeConfig

Labels = tuple[tuple[str, str], ...]


def figures(told: bytes) -> dict[tuple[str, Labels], float]:
    """Every sample by name and labels; the text is read as Prometheus reads it."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parsed(told.decode())
        for sample in family.samples
    }


def with_targets(config: Config, tmp_path: Path, **delivery: object) -> Config:
    raw = {"targets": [{"name": n, "address": f"{tmp_path}/{n}", "other_path": True} for n in ("www1", "www2")]}
    return Config.model_validate(
        {**config.model_dump(exclude_unset=True), **raw, "delivery": delivery, "path": config.path}
    )


def test_every_metric_is_of_the_present(database: Config, tmp_path: Path) -> None:
    config = with_targets(database, tmp_path)
    host = config.host_name
    with db.write():
        journal.append([Put(f"{n}.html", 1_700_000_000, "00", 5) for n in (1, 2, 3)], host)
    last = journal.newest(host)
    one, two = front_ends(config)
    cursors.confirm(one, host, last - 1, files=2, bytes=4096, seconds=0.25)
    cursors.record_failure(two, host, "no way there")
    enqueue("publish", [JobRequest(f"{n}.html") for n in (1, 2)], ageing=60.0, reason="edited")
    (claim,) = store.claim("here:1", ["publish"], 1, 30.0)
    RegisteredProcess("worker", host).register()
    found = figures(metrics.render(config))
    assert found["appliance_jobs", (("state", "pending"),)] == 1
    assert found["appliance_jobs", (("state", "running"),)] == 1
    assert found["appliance_jobs", (("state", "failed"),)] == 0
    assert 0 <= found["appliance_oldest_pending_job_age_seconds", ()] < 60
    assert found["appliance_publications_total", ()] == last
    assert found["appliance_processes", (("host", host), ("role", "worker"))] == 1
    first = {name: value for (name, labels), value in found.items() if ("target", "www1") in labels}
    second = {name: value for (name, labels), value in found.items() if ("target", "www2") in labels}
    assert (first["appliance_target_level"], first["appliance_target_waiting_files"]) == (0, 1)
    assert first["appliance_target_confirmed_publication"] == last - 1
    assert first["appliance_target_last_push_bytes"] == 4096
    assert first["appliance_target_last_push_duration_seconds"] == 0.25
    assert abs(first["appliance_target_last_push_timestamp_seconds"] - clock.now()) < 60
    assert (first["appliance_target_failing"], second["appliance_target_failing"]) == (0, 1)
    assert second["appliance_target_waiting_files"] == 3 and second["appliance_target_lag_seconds"] >= 0
    store.complete({claim: "changed"})
    cursors.confirm(one, host, last)
    later = figures(metrics.render(config))
    assert later["appliance_jobs", (("state", "running"),)] == 0
    assert later["appliance_target_level", (("target", "www1"),)] == 1
    assert later["appliance_target_lag_seconds", (("target", "www1"),)] == 0


def test_a_fresh_installation_has_metrics_too(config: Config) -> None:
    found = figures(metrics.render(config))
    assert found["appliance_publications_total", ()] == 0
    assert found["appliance_oldest_pending_job_age_seconds", ()] == 0


def test_a_file_is_replaced_whole(config: Config, tmp_path: Path) -> None:
    folder = tmp_path / "textfile"
    folder.mkdir()
    file = folder / "appliance.prom"
    file.write_text("old")
    with file.open() as reader:
        metrics.write_textfile(config, file)
        assert reader.read() == "old"
    assert figures(file.read_bytes())
    assert file.stat().st_mode & 0o777 == 0o644
    assert list(folder.iterdir()) == [file]
    with pytest.raises(ConfigError, match=r"missing/x\.prom cannot be written"):
        metrics.write_textfile(config, folder / "missing" / "x.prom")
    with pytest.raises(ConfigError, match="cannot be written"):
        metrics.write_textfile(config, folder)
    assert list(folder.iterdir()) == [file]


def ask(port: int, path: str = "/metrics") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def patiently(port: int) -> tuple[int, bytes]:
    end = clock.monotonic() + 10
    while True:
        try:
            return ask(port)
        except OSError:
            assert clock.monotonic() < end
            clock.sleep(0.01)


@pytest.fixture
def port() -> int:
    return free_port()


@contextmanager
def answering(config: Config, tmp_path: Path, port: int) -> Iterator[None]:
    with metrics.serve(with_targets(config, tmp_path, metrics=f"{HOST}:{port}")):
        yield


def test_a_scrape(config: Config, tmp_path: Path, port: int) -> None:
    with answering(config, tmp_path, port):
        status, told = patiently(port)
        assert status == 200 and ("appliance_target_level", (("target", "www1"),)) in figures(told)
        enqueue("publish", [JobRequest("1.html")], ageing=60.0, reason="edited")
        assert figures(ask(port)[1])["appliance_jobs", (("state", "pending"),)] == 1
        assert ask(port, "/")[0] == 404
    with pytest.raises(OSError):
        ask(port)


def test_a_database_that_is_away_is_said_so_and_waited_for(config: Config, tmp_path: Path, port: int) -> None:
    with answering(config, tmp_path, port):
        patiently(port)
        file = config.database_file
        file.rename(file.with_name("away.db"))
        file.mkdir()
        status, told = ask(port)
        assert status == 503 and b"database cannot be read" in told
        file.rmdir()
        file.with_name("away.db").rename(file)
        assert ask(port)[0] == 200


def test_an_address_in_use_is_tried_again(
    config: Config, tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    warned = threading.Event()
    monkeypatch.setattr(metrics, "_RETRY_INTERVAL", 0.01)
    monkeypatch.setattr(metrics.log, "warning", lambda *_args, **_values: warned.set(), raising=False)
    with socket.create_server((HOST, port)) as taken, answering(config, tmp_path, port):
        assert warned.wait(5)
        taken.close()
        assert patiently(port)[0] == 200


def test_nobody_listens_unless_told_to(config: Config, tmp_path: Path, port: int) -> None:
    told = with_targets(config, tmp_path, metrics=f"{HOST}:{port}")
    with metrics.serve(config), metrics.serve(told, wanted=False), pytest.raises(OSError):
        ask(port)


@pytest.mark.parametrize("address", ["9187", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:70000", "example.org:9187", ":80"])
def test_an_address_that_is_none_is_refused(make_config: MakeConfig, address: str) -> None:
    with pytest.raises(ConfigError, match="is not an address to listen on"):
        make_config(delivery={"metrics": address})


@pytest.mark.parametrize("address", ["", "127.0.0.1:9187", "[::1]:9187", "localhost:9187"])
def test_an_address_of_this_host_is_taken(make_config: MakeConfig, address: str) -> None:
    assert make_config(delivery={"metrics": address}).delivery.metrics == address
