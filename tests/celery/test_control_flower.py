"""Flower over a C worker: its pages read what inspect says, its buttons steer the worker."""

import time

import pytest

from dev.servers import wait_for
from tests.harness.flower import WAIT, Flower


@pytest.fixture
def node(worker):
    return worker("-c", 2)


@pytest.fixture
def flower(node, tmp_path, broker_url, redis_url):
    one = Flower(tmp_path, broker_url, redis_url)
    yield one
    one.process.kill()


def seen_task(flower, app, *states):
    """A task that Flower has in one of the states; sent until its events are on (Flower asks for them)."""
    sent = []

    def look():
        sent.append(app.send_task("demo.add", (1, 2)).id)
        time.sleep(0.5)
        tasks = flower.get("/api/tasks") or {}
        return next((tasks[one] for one in sent if one in tasks and tasks[one]["state"] in states), None)
    return wait_for(look, "Flower sees a task", WAIT)


def test_the_worker_page_is_whole(flower, node):
    worker = flower.worker(node.node)
    assert set("stats registered active_queues scheduled active reserved revoked conf".split()) <= set(worker)
    assert worker["stats"]["pid"] == node.pid and len(worker["stats"]["pool"]["processes"]) == 2
    assert [queue["name"] for queue in worker["active_queues"]] == ["celery"]
    assert "demo.add" in " ".join(worker["registered"])
    page = flower.request(f"/worker/{node.node}")
    assert node.node in page and "demo.add" in page
    assert node.node in flower.request("/workers")


def test_tasks_are_listed_with_their_life(flower, node, app):
    task = seen_task(flower, app, "SUCCESS")
    assert (task["name"], task["args"], task["kwargs"], task["result"]) == ("demo.add", "(1, 2)", "{}", "3")
    assert task["worker"] == node.node and task["runtime"] > 0
    assert task["received"] and task["started"] and task["succeeded"]
    assert task["uuid"] in flower.request(f"/task/{task['uuid']}")


def test_the_buttons_steer_the_worker(flower, node, app):
    flower.worker(node.node)
    flower.post(f"/api/worker/pool/grow/{node.node}", n=1)
    flower.worker(node.node, lambda worker: len(worker["stats"]["pool"]["processes"]) == 3)
    flower.post(f"/api/worker/pool/shrink/{node.node}", n=2)
    flower.worker(node.node, lambda worker: len(worker["stats"]["pool"]["processes"]) == 1)
    flower.post(f"/api/worker/queue/add-consumer/{node.node}", queue="extra")
    flower.worker(node.node, lambda worker: len(worker["active_queues"]) == 2)
    flower.post(f"/api/worker/queue/cancel-consumer/{node.node}", queue="extra")
    flower.worker(node.node, lambda worker: len(worker["active_queues"]) == 1)
    result = app.send_task("demo.until_told")
    flower.worker(node.node, lambda worker: len(worker["active"]) == 1)
    flower.post(f"/api/task/revoke/{result.id}?terminate=true")
    wait_for(lambda: result.state == "REVOKED", "the task is revoked", WAIT)
    flower.post(f"/api/worker/shutdown/{node.node}")
    assert node.process.popen.wait(WAIT) == 0


def test_limits_and_bounds_are_set_from_flower(worker, app, tmp_path, broker_url, redis_url):
    """Of tasks that Flower's own application knows: so it is started with one."""
    node = worker("--autoscale", "3,1").node
    flower = Flower(tmp_path, broker_url, redis_url, "-A", "tests.celery.pytasks")
    try:
        flower.worker(node)
        assert flower.press("/api/task/rate-limit/demo.add", ratelimit="100/h", workername=node) == \
            {"message": "new rate limit set successfully"}
        flower.worker(node, lambda worker: "demo.add [rate_limit=100/h]" in worker["registered"])
        assert flower.press("/api/task/timeout/demo.add", soft=10, hard=20, workername=node) == \
            {"message": "time limits set successfully"}
        flower.press(f"/api/worker/pool/autoscale/{node}", min=2, max=4)
        flower.worker(node, lambda worker: worker["stats"]["autoscaler"]["max"] == 4
                      and len(worker["stats"]["pool"]["processes"]) == 2)
        inspect = app.control.inspect(destination=[node], timeout=30, limit=1)
        assert "demo.add [time_limit=20.0 soft_time_limit=10.0]" in \
            inspect.registered("time_limit", "soft_time_limit")[node]
    finally:
        flower.process.kill()
