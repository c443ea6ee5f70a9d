"""Whatever happens in the middle of a merge, the job ends well, once, with the right bytes, no upload left.

Every test stands still in the middle of a merge: a gate before S3 holds its answers back while the fault
happens."""

import os
import signal
import time
import uuid

import pytest
import redis

from dev.servers import RabbitMQ, wait_for
from tests.harness.buckets import sorted_by_sort, unfinished_uploads
from tests.harness.workers import celery_app
from tests.worker.big_range import put_big_range

WAIT = 280
pytestmark = pytest.mark.timeout(600)
RANGE = ["2019-08-17", "2019-08-19"]


def check_end(sent, buckets, files, server):
    """The job has ended as it should."""
    result = sent.get(timeout=WAIT)
    expected = sorted_by_sort(*files.values())
    assert result["key"] == sent.id
    assert result["bytes"] == len(expected)
    assert buckets.merged_object(sent.id) == expected
    assert unfinished_uploads(server, buckets.merged) == []


def active_child(worker):
    """The process id of the child that runs a merge now, as `inspect active` shows it, or None."""
    replies = worker.app.control.inspect(destination=[worker.node], timeout=2).active() or {}
    return next((task["worker_pid"] for task in replies.get(worker.node, [])), None)


def running_child(worker):
    """The same, as soon as there is one."""
    return wait_for(lambda: active_child(worker), "a running merge", 120)


def wait_until_acknowledged(rabbitmq, vhost, queue="celery"):
    """Until the broker has no message of the queue any more, neither ready nor in anybody's hands."""
    def empty():
        view = rabbitmq.queue(queue, vhost)
        return view is not None and view.get("messages") == 0

    wait_for(empty, "the acknowledgement of all messages", 120, every=0.5)


@pytest.fixture
def big(buckets):
    """The files of a large range in the test's bucket."""
    return put_big_range(buckets)


@pytest.fixture
def held(gate, s3_server, big):
    """A gate that closes in the middle of the range: by then a part of the upload is on its way."""
    return gate(s3_server, sum(len(content) for content in big.values()) // 2)


def test_a_worker_killed_in_the_middle_of_a_merge(merge_worker, app, buckets, big, held, s3_server, rabbitmq,
                                                  vhost):
    first = merge_worker("--lease-time", "5", s3=held.url)
    sent = app.send_task("merge_s3_files", RANGE)
    held.wait_until_reached()
    os.kill(first.pid, signal.SIGKILL)
    wait_for(lambda: not first.process.is_running(), "the worker's end")
    held.open()
    merge_worker("--lease-time", "5")
    check_end(sent, buckets, big, s3_server)
    wait_until_acknowledged(rabbitmq, vhost)


def test_the_child_killed_in_the_middle_of_a_merge(merge_worker, app, buckets, big, held, s3_server, rabbitmq,
                                                   vhost):
    worker = merge_worker("--lease-time", "5", s3=held.url)
    sent = app.send_task("merge_s3_files", RANGE)
    held.wait_until_reached()
    os.kill(running_child(worker), signal.SIGKILL)
    held.open()
    check_end(sent, buckets, big, s3_server)
    wait_until_acknowledged(rabbitmq, vhost)


def test_two_workers_of_which_one_is_killed_merge_once(merge_worker, app, buckets, big, held, s3_server,
                                                       rabbitmq, vhost):
    workers = [merge_worker("--lease-time", "5", s3=held.url) for _ in range(2)]
    sent = app.send_task("merge_s3_files", RANGE)
    held.wait_until_reached()
    busy = wait_for(lambda: next((worker for worker in workers if active_child(worker)), None),
                    "the one that merges", 120)
    os.kill(busy.pid, signal.SIGKILL)
    held.open()
    check_end(sent, buckets, big, s3_server)
    wait_until_acknowledged(rabbitmq, vhost)


def test_s3_stopped_for_ten_seconds(own_s3, make_buckets, merge_worker, app, gate):
    server = own_s3()
    buckets = make_buckets(server)
    files = put_big_range(buckets)
    held = gate(server, sum(len(content) for content in files.values()) // 2)
    merge_worker(s3=held.url, buckets=buckets)
    sent = app.send_task("merge_s3_files", RANGE)
    held.wait_until_reached()
    server.stop()
    held.open()
    time.sleep(10)
    server.start()
    check_end(sent, buckets, files, server)


def test_redis_restarted_in_the_middle_of_a_merge(own_redis, merge_worker, broker_url, buckets, big, held,
                                                  s3_server):
    server = own_redis()
    client = celery_app(broker_url, server.url)
    merge_worker(s3=held.url, backend=server.url)
    sent = client.send_task("merge_s3_files", RANGE)
    held.wait_until_reached()
    server.stop()
    held.open()
    server.start()
    # A client whose subscription was cut may miss the message that tells the end; what is stored it does not.
    wait_for(lambda: client.backend.get_task_meta(sent.id, cache=False)["status"] == "SUCCESS",
             "the stored result", WAIT)
    check_end(client.AsyncResult(sent.id), buckets, big, s3_server)
    client.close()


def test_rabbitmq_restarted_in_the_middle_of_a_merge(own_rabbitmq, merge_worker, redis_url, buckets, big,
                                                     held, s3_server):
    server = own_rabbitmq()
    client = celery_app(server.url, redis_url)
    worker = merge_worker("--loglevel", "INFO", s3=held.url, broker=server.url)
    sent = client.send_task("merge_s3_files", RANGE)
    held.wait_until_reached()
    server.restart()
    held.open()
    check_end(sent, buckets, big, s3_server)
    wait_until_acknowledged(server, "/")
    assert worker.log().count("merged 40 files") == 1
    client.close()


@pytest.fixture
def impatient_rabbitmq(tmp_path):
    """A broker that takes back what is held for 5 s; it looks every second instead of every minute."""
    folder = tmp_path / "impatient-rabbitmq"
    folder.mkdir()
    for name in ("advanced", "advanced.config"):  # which of them is read depends on the broker's version
        (folder / name).write_text("[{rabbit, [{channel_tick_interval, 1000}]}].\n")
    server = RabbitMQ(folder, consumer_timeout=5000).start()
    yield server
    server.kill()


def test_a_consumer_timeout_shorter_than_the_merge(impatient_rabbitmq, merge_worker, redis_url, buckets, big,
                                                   held, s3_server):
    server = impatient_rabbitmq
    client = celery_app(server.url, redis_url)
    worker = merge_worker("--loglevel", "INFO", s3=held.url, broker=server.url)
    sent = client.send_task("merge_s3_files", RANGE)
    held.wait_until_reached()
    child = running_child(worker)
    wait_for(lambda: "PRECONDITION_FAILED" in worker.log(), "the broker takes the message back", 180)
    assert running_child(worker) == child, "the merge that ran was given up"
    held.open()
    check_end(sent, buckets, big, s3_server)
    wait_until_acknowledged(server, "/")
    assert worker.log().count("merged 40 files") == 1
    client.close()


def test_a_warm_shutdown_waits_for_the_merge(merge_worker, app, buckets, big, held, s3_server):
    worker = merge_worker(s3=held.url)
    sent = app.send_task("merge_s3_files", RANGE)
    held.wait_until_reached()
    worker.process.send_signal(signal.SIGTERM)
    time.sleep(1)
    assert worker.process.is_running()
    held.open()
    check_end(sent, buckets, big, s3_server)
    wait_for(lambda: not worker.process.is_running(), "the worker's end", 120)
    assert worker.finish() == 0


def test_a_merge_that_loses_its_child_again_and_again_fails(merge_worker, app, buckets, gate, s3_server, big):
    del big
    held = gate(s3_server, 2**20)
    worker = merge_worker("--lease-time", "5", s3=held.url)
    sent = app.send_task("merge_s3_files", RANGE)
    killed = set()

    def ended():
        child = active_child(worker)
        if child is not None and child not in killed:
            os.kill(child, signal.SIGKILL)
            killed.add(child)
        return sent.ready()

    wait_for(ended, "the end", WAIT, every=0.2)
    assert sent.state == "FAILURE"
    assert type(sent.result).__name__ == "WorkerLostError"
    assert len(killed) >= 2
    assert unfinished_uploads(s3_server, buckets.merged) == []


def test_a_merge_cancelled_in_the_middle_leaves_no_object(merge_worker, app, buckets, big, held, s3_server,
                                                          redis_url):
    del big
    worker = merge_worker(s3=held.url)
    task_id = str(uuid.uuid4())
    sent = app.send_task("merge_s3_files", RANGE, task_id=task_id)
    held.wait_until_reached()
    with redis.Redis.from_url(redis_url) as connection:
        connection.set(f"logmerge:cancelled:{task_id}", "1")
    held.open()
    wait_for(sent.ready, "the end", WAIT)
    assert type(sent.result).__name__ == "MergeCancelled"
    assert buckets.merged_object(task_id) is None
    assert unfinished_uploads(s3_server, buckets.merged) == []
    assert worker.process.is_running()
