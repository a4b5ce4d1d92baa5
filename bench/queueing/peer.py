"""One other queue, measured by its own means; run by the Python of an environment that has it.

    python peer.py NAME FOLDER ADDRESS JOBS SAMPLES        prints: jobs/s, then each latency in seconds

The task does nothing but send when it began. Each queue as its documentation starts it: one worker, its own defaults.
"""

# ruff: noqa: D103, PTH100, PTH118, PTH120 - a script of another environment, where only the queue measured is certain to be there

import os
import signal
import socket
import struct
import subprocess
import sys
import time

NAME, FOLDER, ADDRESS = sys.argv[1:4]
SOCKET = os.path.join(FOLDER, f"{NAME}.sock")


def began() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.sendto(struct.pack("d", time.monotonic()), SOCKET)


if NAME == "huey":
    from huey import SqliteHuey

    huey = SqliteHuey(filename=os.path.join(FOLDER, "huey.db"))
    task = huey.task()(began)
    ask = task

    def work() -> None:
        huey.create_consumer(workers=1).run()

elif NAME == "procrastinate":
    import procrastinate

    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=ADDRESS))
    task = app.task(name="began")(began)

    def ask() -> None:
        task.defer()

    def work() -> None:
        app.run_worker(concurrency=1)

elif NAME == "rq":
    import redis
    import rq

    queue = rq.Queue(connection=redis.Redis(unix_socket_path=ADDRESS))

    def ask() -> None:
        queue.enqueue("peer.began")

    def work() -> None:
        rq.Worker([queue], connection=queue.connection).work(logging_level="ERROR")

else:
    import celery

    app = celery.Celery("peer", broker=f"redis+socket://{ADDRESS}")
    task = app.task(name="began", ignore_result=True)(began)
    ask = task.delay

    def work() -> None:
        app.worker_main(["worker", "--concurrency=1", "--loglevel=ERROR"])


def start() -> "subprocess.Popen[bytes]":
    command = [sys.executable, __file__, NAME, FOLDER, ADDRESS, "work"]
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(os.path.abspath(__file__)), "C_FORCE_ROOT": "1"}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


def measure(jobs: int, samples: int) -> None:
    listen = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listen.bind(SOCKET)
    listen.settimeout(60)

    def next_start() -> float:
        return float(struct.unpack("d", listen.recv(8))[0])

    if NAME == "procrastinate":
        with app.open():
            app.schema_manager.apply_schema()
            run(jobs, samples, next_start)
    else:
        run(jobs, samples, next_start)


def run(jobs, samples, next_start) -> None:  # type: ignore[no-untyped-def]
    for _ in range(jobs):
        ask()
    worker = start()
    try:
        starts = [next_start() for _ in range(jobs)]
        print((jobs - 1) / (max(starts) - min(starts)))
        time.sleep(1)
        limit = time.monotonic() + 45
        for _ in range(samples):
            time.sleep(0.1)
            asked = time.monotonic()
            ask()
            print(next_start() - asked)
            if time.monotonic() > limit:
                break
    finally:
        os.killpg(worker.pid, signal.SIGTERM)
        try:
            worker.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(worker.pid, signal.SIGKILL)


if __name__ == "__main__":
    if sys.argv[4] == "work":
        work()
    else:
        measure(int(sys.argv[4]), int(sys.argv[5]))
