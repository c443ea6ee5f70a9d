"""`make demo` and `make stop`, on ports and folders of the test's own."""

import json
import os
import pathlib
import socket
import subprocess
import urllib.request

import pytest

from dev.demonstration.running import start_time
from dev.servers import free_port, wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.alone, pytest.mark.timeout(1500)]


class DemoCommand:
    def __init__(self, folder):
        self.api, self.s3, self.flower = free_port(), free_port(), free_port()
        self.folder = folder
        self.environment = {**os.environ, "DEMO_API_PORT": str(self.api), "DEMO_S3_PORT": str(self.s3),
                            "DEMO_FLOWER_PORT": str(self.flower), "DEMO_FOLDER": str(folder / "run"),
                            "DEMO_DATA": str(folder / "data")}

    def __call__(self, word):
        return subprocess.run(["dev/demo", word], cwd=ROOT, env=self.environment, text=True, capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=1200, check=False)

    def processes(self):
        try:
            return json.loads((self.folder / "run" / "processes.json").read_text())
        except FileNotFoundError:
            return []

    def ask_flower(self, path):
        with urllib.request.urlopen(f"http://localhost:{self.flower}/api/{path}", timeout=60) as answer:
            return json.loads(answer.read())


@pytest.fixture
def demo(tmp_path):
    command = DemoCommand(tmp_path)
    yield command
    command("stop")


def nothing_is_left(entries):
    return [entry["name"] for entry in entries if start_time(entry["pid"]) == entry["start"]] == []


def test_the_demo_merges_stays_up_works_twice_and_ends_without_a_trace(demo):
    first = demo("start")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "the sorted union of 15 files" in first.stdout
    assert f"http://localhost:{demo.api}" in first.stdout and "make stop" in first.stdout
    wait_for(lambda: demo.ask_flower("workers?refresh=1"), "Flower's HTTP API knows the worker", 120)

    def the_merge_has_succeeded():  # events come some moments after the result
        return [task["state"] for task in demo.ask_flower("tasks").values()] == ["SUCCESS"]

    wait_for(the_merge_has_succeeded, "Flower's HTTP API knows one task, which succeeded", 120)
    second = demo("start")
    assert second.returncode == 0, second.stdout + second.stderr
    assert "already running" in second.stdout and "the sorted union of 15 files" in second.stdout
    entries = demo.processes()
    assert {entry["name"] for entry in entries} == {"epmd", "rabbitmq", "redis", "s3", "worker", "api", "flower"}
    stop = demo("stop")
    assert stop.returncode == 0, stop.stdout + stop.stderr
    assert nothing_is_left(entries)
    assert "nothing was running" in demo("stop").stdout


def test_a_taken_port_is_named_with_the_way_out_and_nothing_is_left(demo):
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", demo.s3))
        taken.listen()
        run = demo("start")
    assert run.returncode == 1
    assert f"port {demo.s3} is taken" in run.stderr and "DEMO_S3_PORT" in run.stderr
    assert demo.processes() == []


def test_a_demo_that_fails_half_way_is_ended_by_stop(demo):
    broken = demo.folder / "data"
    broken.mkdir()
    (broken / "logs").mkdir()
    (broken / "logs" / "2019-08-17_1").write_bytes(b"b\na\n")  # not sorted: the merge fails, the system runs
    run = demo("start")
    assert run.returncode == 1 and "make stop" in run.stderr, run.stdout + run.stderr
    entries = demo.processes()
    assert entries
    assert demo("stop").returncode == 0
    assert nothing_is_left(entries)
