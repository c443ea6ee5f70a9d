"""DELETE /download/<id>."""

import pytest
import redis

from dev.servers import wait_for
from tests.api.service import assert_problem, unknown_id
from tests.api.test_api_merges import start_worker
from tests.harness.buckets import unfinished_uploads, uploaded_parts
from tests.worker.big_range import put_big_range
from tests.worker.gate import Gate

MIB = 1 << 20


def delete(api, job):
    return api.request("DELETE", f"/download/{job}")


def test_a_waiting_job_is_cancelled(api):
    job = api.new_job()
    answer = delete(api, job)
    assert answer.status == 204 and answer.body == b""
    assert_problem(api.get(f"/download/{job}"), 410, "cancelled")
    assert delete(api, job).status == 204
    assert api.head(f"/download/{job}").status == 410


def test_a_merged_file_is_removed(api):
    job = api.merged(b"a\n")
    assert delete(api, job).status == 204
    assert api.buckets.merged_object(job) is None
    assert_problem(api.get(f"/download/{job}"), 410, "cancelled")


def test_a_job_of_a_python_client_can_be_cancelled(api):
    job = unknown_id()
    api.store(job, "STARTED")
    assert delete(api, job).status == 204
    assert_problem(api.get(f"/download/{job}"), 410, "cancelled")


def test_what_was_never_given_out_is_unknown(api):
    for job in (unknown_id(), "x"):
        assert_problem(delete(api, job), 404, "unknown-download")


def test_redis_away_cancels_nothing(own_api, own_redis):
    redis = own_redis()
    api = own_api(redis=redis.url, REDIS_TIMEOUT=5)
    job = api.new_job()
    redis.stop()
    assert_problem(delete(api, job), 503, "unavailable")
    redis.start()
    wait_for(lambda: api.get(f"/download/{job}").status == 202, "the job is as it was", 120)


def test_s3_away_is_told_and_the_file_goes_later(own_api, own_s3):
    s3 = own_s3()
    api = own_api(s3=s3, S3_RETRY_TIME="0.5")
    job = api.merged(b"a\n")
    s3.stop()
    assert_problem(delete(api, job), 503, "unavailable")
    assert api.get(f"/download/{job}").status == 410
    s3.start()
    wait_for(lambda: delete(api, job).status == 204, "the file is removed", 120)
    assert api.buckets.merged_object(job) is None


def test_a_queued_merge_that_was_cancelled_never_begins(own_api, s3_server, tmp_path):
    api = own_api()
    api.buckets.put("2019-08-19_1", b"a\n")
    cancelled, other = api.new_job("2019-08-19", "2019-08-19"), api.new_job("2019-08-19", "2019-08-19")
    assert delete(api, cancelled).status == 204
    worker = start_worker(tmp_path, api, s3_server)
    wait_for(lambda: api.get(f"/download/{other}").status == 200, "the other merge is over", 180)
    wait_for(lambda: api.app.AsyncResult(cancelled).ready(), "the cancelled one is disposed of", 180)
    assert api.get(f"/download/{cancelled}").status == 410
    assert api.buckets.merged_object(cancelled) is None
    worker.finish()
    worker.kill()


class Gated:
    """A worker behind a gate in the middle of a merge: a part of its upload is in S3."""

    def __init__(self, folder, api, s3):
        self.api, self.s3 = api, s3
        put_big_range(api.buckets)
        self.gate = Gate(s3.port, 0)

        class Behind:
            url, access_key, secret_key = self.gate.url, s3.access_key, s3.secret_key

        self.worker = start_worker(folder, api, Behind)
        self.job = api.new_job("2019-08-17", "2019-08-19")
        wait_for(self._begun, "a part of the upload", 180)

    def _begun(self):
        self.gate.step(MIB)
        there = (self.api.buckets.data / self.api.buckets.merged).exists()
        return there and uploaded_parts(self.s3, self.api.buckets.merged)

    def uploads(self):
        return unfinished_uploads(self.s3, self.api.buckets.merged)

    def close(self):
        self.gate.close()
        self.worker.kill()


@pytest.fixture
def merging(own_api, s3_server, tmp_path):
    one = Gated(tmp_path, own_api(), s3_server)
    yield one
    one.close()


def test_a_running_merge_is_stopped_where_it_is_and_leaves_no_upload(merging):
    api, job = merging.api, merging.job
    assert delete(api, job).status == 204
    # The gate holds all answers back: the merge cannot come to its end, it must have been stopped.
    wait_for(lambda: not merging.uploads(), "the end of the upload", 120)
    merging.gate.open()
    wait_for(lambda: api.app.AsyncResult(job).state == "REVOKED", "the end of the task", 180)
    assert api.get(f"/download/{job}").status == 410
    assert api.buckets.merged_object(job) is None
    next_job = api.new_job("2019-08-17", "2019-08-19")
    wait_for(lambda: api.get(f"/download/{next_job}").status == 200, "the next merge", 180)
    assert merging.uploads() == []
    merging.worker.finish()


def test_a_worker_that_cannot_hear_of_it_finds_the_merge_cancelled_when_it_would_complete(merging):
    api, job = merging.api, merging.job
    with redis.Redis.from_url(api.redis_url) as connection:
        connection.set(f"logmerge:cancelled:{job}", "1")
    merging.gate.open()
    wait_for(lambda: api.app.AsyncResult(job).state == "FAILURE", "the end of the task", 180)
    assert api.buckets.merged_object(job) is None and merging.uploads() == []
    assert api.get(f"/download/{job}").status == 410
    merging.worker.finish()
