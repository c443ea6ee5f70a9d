"""Terminating exactly: hundreds of terminates at random moments of tasks that change hands. Each ends the
task that was meant, if it had not ended already, and no other."""

import os
import random
import time

import pytest
from celery.exceptions import TaskRevokedError

from dev.servers import wait_for

WAIT = 300  # seconds; a bound for what never ends, not a measure

COUNT = int(os.environ.get("TEST_TERMINATES", "300"))  # terminates in all; 2000 before a release
SECONDS = (0, 0.002, 0.01, 0.05)  # that a task takes
ROUND = 50  # tasks under way at once, half of which are terminated


def ended(results):
    """Those whose fate is stored."""
    return all(result.state in ("SUCCESS", "REVOKED", "FAILURE") for result in results)


@pytest.mark.parametrize("signal", ["SIGTERM", "SIGKILL"])
def test_a_terminate_hits_what_was_meant_and_nothing_else(app, worker, tmp_path, signal):
    """Tasks of some milliseconds go through three children in batches; so many a terminate comes when its
    task has just ended and the child has begun another, or is about to begin it."""
    chance = random.Random(COUNT)
    node = worker("-c", 3, "--prefetch-multiplier", 16)
    runs = tmp_path / "runs"
    hit = 0
    for number in range(0, COUNT // 2, ROUND // 2):
        results = [app.send_task("demo.append", (str(runs), f"{number}-{index}", chance.choice(SECONDS)))
                   for index in range(ROUND)]
        meant = set(chance.sample([result.id for result in results], ROUND // 2))
        for task_id in sorted(meant, key=lambda _: chance.random()):
            app.control.terminate(task_id, signal=signal, destination=[node.node])
            time.sleep(chance.choice((0, 0.001, 0.003)))
        wait_for(lambda some=results: ended(some), "every task has an end", WAIT)
        for index, result in enumerate(results):
            if result.id not in meant:
                assert result.state == "SUCCESS", f"{result.id}, not meant: {result.state} {result.result!r}"
                assert result.get(timeout=WAIT) == f"{number}-{index}"
            elif result.state != "SUCCESS":
                assert isinstance(result.result, TaskRevokedError), f"{result.id}: {result.result!r}"
                hit += 1
    assert hit > 0
    inspect = app.control.inspect(destination=[node.node], timeout=30, limit=1)

    def children():
        return (inspect.stats() or {}).get(node.node, {"pool": {"processes": []}})["pool"]["processes"]

    wait_for(lambda: len(children()) == 3, "three children are there", WAIT)
    assert app.send_task("demo.add", (1, 2)).get(timeout=WAIT) == 3
    written = runs.read_text().split()
    assert len(written) == len(set(written)), "a task ran twice"


def test_no_terminate_of_a_running_task_is_lost(app, worker):
    """Long tasks: each is terminated at a random moment around its start, and ends by nothing else."""
    chance = random.Random(7)
    node = worker("-c", 4, "--prefetch-multiplier", 4)
    for _ in range(max(1, COUNT // 50)):
        results = [app.send_task("demo.until_told", (600,)) for _ in range(8)]
        for result in sorted(results, key=lambda _: chance.random()):
            app.control.terminate(result.id, signal=chance.choice(("SIGTERM", "SIGKILL", "SIGUSR1")),
                                  destination=[node.node])
            time.sleep(chance.random() * 0.05)
        for result in results:
            with pytest.raises(TaskRevokedError):
                result.get(timeout=WAIT)
    assert app.send_task("demo.add", (1, 2)).get(timeout=WAIT) == 3
