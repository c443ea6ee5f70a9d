"""Results that Redis refuses for good (here: another type of value lies under the key): such a task runs
again after pauses that grow, until its result can be stored, and harms no other."""


import redis

from dev.servers.process import wait_for
from tests.celery.worker_tool import depth, lines, wait_until_empty

TIMEOUT = 120


def refuse(redis_url, uuid):
    with redis.Redis.from_url(redis_url) as connection:
        connection.lpush(f"celery-task-meta-{uuid}", "a list")


def accept(redis_url, uuid):
    with redis.Redis.from_url(redis_url) as connection:
        connection.delete(f"celery-task-meta-{uuid}")


def test_a_task_whose_result_is_refused_runs_again_after_growing_pauses_until_it_is_stored(
        worker, app, redis_url, rabbitmq, vhost, tmp_path):
    runs, uuid = str(tmp_path / "runs"), "refused"
    refuse(redis_url, uuid)
    one = worker("--concurrency", 1)
    result = app.send_task("demo.append_late", (runs, "run"), task_id=uuid)
    for times, pause in enumerate((1, 2, 4), 1):
        wait_for(lambda: f"runs again in {pause} s" in one.log(), f"a pause of {pause} s", TIMEOUT)
        assert one.log().count("runs again in") >= times
    runs_before = one.log().count("runs again in")
    assert len(lines(runs)) in (runs_before, runs_before + 1)  # one run for each pause
    wait_for(lambda: depth(rabbitmq, vhost) == 1, "its message is the worker's", TIMEOUT)
    assert app.send_task("demo.add", (1, 2)).get(timeout=TIMEOUT) == 3
    accept(redis_url, uuid)
    assert result.get(timeout=TIMEOUT) == "run"
    wait_until_empty(rabbitmq, vhost)


def test_a_refused_result_makes_no_other_task_run_again(worker, app, redis_url, rabbitmq, vhost, tmp_path):
    runs = str(tmp_path / "runs")
    for number in (20, 30):
        refuse(redis_url, f"task-{number}")
    results = {number: app.send_task("demo.append_late", (runs, str(number)), task_id=f"task-{number}")
               for number in range(40)}
    one = worker("--concurrency", 1, "--prefetch-multiplier", 64)
    for number, result in results.items():
        if number not in (20, 30):
            assert result.get(timeout=TIMEOUT) == str(number)
    wait_for(lambda: one.log().count("runs again in 2 s") == 2, "both have run twice", TIMEOUT)
    assert sorted(line for line in lines(runs) if line not in ("20", "30")) == sorted(
        str(number) for number in range(40) if number not in (20, 30))
    for number in (20, 30):
        accept(redis_url, f"task-{number}")
        assert results[number].get(timeout=TIMEOUT) == str(number)
    wait_until_empty(rabbitmq, vhost)


def test_what_waits_for_its_pause_goes_back_to_the_queue_when_the_worker_stops(
        worker, app, redis_url, rabbitmq, vhost, tmp_path):
    runs, uuid = str(tmp_path / "runs"), "refused"
    refuse(redis_url, uuid)
    one = worker("--concurrency", 1)
    result = app.send_task("demo.append_late", (runs, "run"), task_id=uuid)
    wait_for(lambda: "runs again in 4 s" in one.log(), "it is set back", TIMEOUT)
    assert one.finish() == 0
    wait_for(lambda: rabbitmq.queue("celery", vhost).get("messages_ready") == 1, "it is in the queue",
             TIMEOUT)
    accept(redis_url, uuid)
    worker("--concurrency", 1)
    assert result.get(timeout=TIMEOUT) == "run"
    wait_until_empty(rabbitmq, vhost)
