"""GET and HEAD /download/<id> while there is no file: waiting, failed, cancelled, gone, unknown."""

import json

import pytest

from tests.api.service import assert_problem, unknown_id

NOTHING = {"files_done": 0, "files_total": 0, "bytes_done": 0, "bytes_total": 0, "percent": 0}


def assert_waiting(answer, job, state, **progress):
    assert answer.status == 202, answer
    assert answer.headers["Content-Type"] == "application/json"
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json() == {"download_id": job, "state": state, "progress": {**NOTHING, **progress}}


def test_a_queued_job_is_waiting(api):
    job = api.new_job()
    assert_waiting(api.get(f"/download/{job}"), job, "PENDING")


@pytest.mark.parametrize("state", ["STARTED", "RECEIVED", "RETRY"])
def test_a_job_that_began_is_waiting(api, state):
    job = api.new_job()
    api.store(job, state, {"pid": 1, "hostname": "x"} if state == "STARTED" else None)
    assert_waiting(api.get(f"/download/{job}"), job, state)


def test_progress_is_told(api):
    job = api.new_job()
    api.store(job, "PROGRESS", {"files_done": 3, "files_total": 15, "bytes_done": 1234, "bytes_total": 5000,
                                "percent": 24.68})
    assert_waiting(api.get(f"/download/{job}"), job, "PROGRESS", files_done=3, files_total=15, bytes_done=1234,
                   bytes_total=5000, percent=24.7)


def test_a_state_of_another_program_is_waiting(api):
    job = api.new_job()
    api.store(job, "SORTING", "some text")
    assert_waiting(api.get(f"/download/{job}"), job, "SORTING")


def test_an_id_in_capitals_is_the_same(api):
    job = api.new_job()
    assert_waiting(api.get(f"/download/{job.upper()}"), job, "PENDING")


def test_head_has_the_headers_of_get(api):
    job = api.new_job()
    get, head = api.get(f"/download/{job}"), api.head(f"/download/{job}")
    assert head.status == 202 and head.body == b""
    for name in ("Content-Type", "Content-Length", "Retry-After", "Cache-Control"):
        assert head.headers[name] == get.headers[name]


@pytest.mark.parametrize("text", [
    "x", "123", "b0952099-3536-4ea0-a613-98509f4087c", "b0952099-3536-4ea0-a613-98509f4087cdd",
    "b0952099_3536_4ea0_a613_98509f4087cd", "..%2f..%2fetc", "%00", "*", "celery-task-meta-x"])
def test_what_is_no_uuid_is_unknown(api, text):
    assert_problem(api.get(f"/download/{text}"), 404, "unknown-download")


def test_an_id_that_was_never_given_out_is_unknown(api):
    assert_problem(api.get(f"/download/{unknown_id()}"), 404, "unknown-download")
    assert api.head(f"/download/{unknown_id()}").status == 404


def test_the_query_is_ignored(api):
    job = api.new_job()
    assert_waiting(api.get(f"/download/{job}?id=x&y"), job, "PENDING")


@pytest.mark.parametrize("exception, status, name", [
    ("UnsortedInput", 500, "unsorted-input"), ("ObjectChanged", 500, "object-changed"),
    ("LineTooLong", 500, "line-too-long"), ("TooManyFiles", 500, "too-much-input"),
    ("StorageUnavailable", 502, "storage-failed"), ("StorageError", 502, "storage-failed"),
    ("StorageDenied", 502, "storage-denied")])
def test_a_failed_merge_says_why(api, exception, status, name):
    job = api.new_job()
    api.fail(job, exception, "2019-08-19_1: line 7")
    document = assert_problem(api.get(f"/download/{job}"), status, name)
    assert document["detail"] == "2019-08-19_1: line 7"
    assert document["instance"] == f"/download/{job}"


@pytest.mark.parametrize("exception, module, name", [
    ("WorkerLostError", "billiard.exceptions", "worker-lost"),
    ("TimeLimitExceeded", "billiard.exceptions", "time-limit"),
    ("SoftTimeLimitExceeded", "billiard.exceptions", "time-limit"), ("MemoryError", "builtins", "worker-memory"),
    ("NotRegistered", "celery.exceptions", "no-such-task"), ("TypeError", "builtins", "bad-arguments"),
    ("KeyError", "builtins", "merge-failed"), ("Anything", "x", "merge-failed")])
def test_other_failures_are_told_without_their_words(api, exception, module, name):
    job = api.new_job()
    api.fail(job, exception, "password=hunter2", module)
    answer = api.get(f"/download/{job}")
    assert_problem(answer, 500, name)
    assert b"hunter2" not in answer.body and b"Traceback" not in answer.body and b"secret" not in answer.body


def test_a_real_exception_of_python_is_understood(api):
    job = api.new_job()
    api.app.backend.mark_as_failure(job, ValueError("no such thing"))
    assert_problem(api.get(f"/download/{job}"), 500, "bad-arguments")


def test_a_revoked_job_is_cancelled(api):
    job = api.new_job()
    api.app.backend.mark_as_revoked(job, "revoked")
    assert_problem(api.get(f"/download/{job}"), 410, "cancelled")


def test_a_merge_that_found_its_tombstone_is_cancelled(api):
    job = api.new_job()
    api.fail(job, "MergeCancelled", "cancelled")
    assert_problem(api.get(f"/download/{job}"), 410, "cancelled")


def test_a_job_with_a_tombstone_is_cancelled_whatever_its_state(api):
    job = api.new_job()
    api.app.backend.client.set(f"logmerge:cancelled:{job}", "1")
    assert_problem(api.get(f"/download/{job}"), 410, "cancelled")
    job = api.merged(b"a\n")
    api.app.backend.client.set(f"logmerge:cancelled:{job}", "1")
    assert_problem(api.get(f"/download/{job}"), 410, "cancelled")


def test_a_merged_file_that_was_deleted_is_gone(api):
    job = api.merged(b"a\n")
    (api.buckets.data / api.buckets.merged / job).unlink()
    assert_problem(api.get(f"/download/{job}"), 410, "gone")
    assert api.head(f"/download/{job}").status == 410


def test_a_result_that_expired_is_gone(api):
    job = api.merged(b"a\n")
    api.app.backend.client.delete(f"celery-task-meta-{job}")
    assert_problem(api.get(f"/download/{job}"), 410, "gone")


def test_a_job_older_than_results_are_kept_is_gone(api):
    job = api.new_job()
    api.app.backend.client.set(f"logmerge:job:{job}", json.dumps(
        {"start_date": "2019-08-19", "end_date": "2019-08-25", "created": "2020-01-01T00:00:00+00:00"}))
    assert_problem(api.get(f"/download/{job}"), 410, "gone")


def test_a_job_of_a_python_client_is_answered_from_its_result(api):
    job = unknown_id()
    assert api.get(f"/download/{job}").status == 404
    api.store(job, "STARTED")
    assert_waiting(api.get(f"/download/{job}"), job, "STARTED")
    api.merged(b"a\nb\n", job)
    answer = api.get(f"/download/{job}")
    assert answer.status == 200 and answer.body == b"a\nb\n"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="merged_{job}.log"'


def test_a_record_that_is_damaged_does_no_harm(api):
    job = unknown_id()
    api.app.backend.client.set(f"logmerge:job:{job}", "not JSON")
    assert_problem(api.get(f"/download/{job}"), 404, "unknown-download")


def test_the_record_of_a_job_stands_in_redis_and_expires(api):
    job = api.new_job()
    record = json.loads(api.app.backend.client.get(f"logmerge:job:{job}"))
    assert record["start_date"] == "2019-08-19" and record["end_date"] == "2019-08-25" and record["created"]
    assert 0 < api.app.backend.client.ttl(f"logmerge:job:{job}") <= 2592000


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_other_methods_are_not_allowed(api, method):
    answer = api.request(method, f"/download/{unknown_id()}")
    assert_problem(answer, 405, "method-not-allowed")
    assert answer.headers["Allow"] == "GET, HEAD, DELETE, OPTIONS"


def test_options_tell_the_methods(api):
    answer = api.request("OPTIONS", f"/download/{unknown_id()}")
    assert answer.status == 204 and answer.headers["Allow"] == "GET, HEAD, DELETE, OPTIONS"
