"""What is seen of a merge while it runs."""

import uuid

from dev.servers import wait_for
from tests.worker.big_range import put_big_range


def test_a_merge_is_started_then_reports_progress_then_succeeds(merge_worker, app, buckets, states):
    for number in range(4):
        buckets.put(f"2019-08-18_{number}", b"a line\n" * 1000)
    merge_worker()
    task_id = str(uuid.uuid4())
    watched = states(task_id)
    app.send_task("merge_s3_files", ["2019-08-17", "2019-08-19"], task_id=task_id)
    seen = watched.until_ready()
    names = [state["status"] for state in seen]
    assert names[0] == "STARTED"
    assert names[1] == "PROGRESS"
    assert names[-1] == "SUCCESS"
    assert seen[1]["result"] == {"files_done": 0, "files_total": 4, "bytes_done": 0, "bytes_total": 28000,
                                 "percent": 0}


def test_a_merge_in_the_middle_says_how_far_it_is(merge_worker, app, buckets, gate, s3_server):
    total = sum(len(content) for content in put_big_range(buckets).values())
    held = gate(s3_server, total // 2)
    merge_worker(s3=held.url)
    sent = app.send_task("merge_s3_files", ["2019-08-17", "2019-08-19"])
    held.wait_until_reached()

    def middle():
        info = sent.info if sent.state == "PROGRESS" else {}
        return info if 0 < info.get("bytes_done", 0) < total else None

    # Reports come at most twice a second: the one that is stored may be of the merge's very first moment. So
    # the merge goes on in small steps until one of the middle is there.
    try:
        info = wait_for(lambda: held.step(total // 100) or middle(), "a report from the middle", 120, 0.6)
    except TimeoutError:
        assert sent.state == "SUCCESS", "neither ended nor reported"
        raise
    assert info["bytes_total"] == total
    assert 0 < info["percent"] < 100
    held.open()
    assert sent.get(timeout=180)["bytes"] == total
