"""From POST /initiate to the file, with the real worker behind it: byte for byte what `LC_ALL=C sort` makes of the
files.

One API and one worker serve all tests here; each has a year of its own in the bucket."""

import os
import random
import uuid

import pytest

from dev.servers import Redis, wait_for
from tests.api.service import Api, assert_problem
from tests.harness.buckets import Buckets, sorted_by_sort
from tests.harness.workers import CWorker
from tests.worker.gate import Gate

MIB = 1 << 20


def start_worker(folder, api, s3):
    return CWorker(folder, api.broker_url, api.redis_url, name="logmerge-worker", options=("--concurrency", "2"), env={
        "AWS_ENDPOINT_URL_S3": s3.url, "AWS_ACCESS_KEY_ID": s3.access_key, "AWS_SECRET_ACCESS_KEY": s3.secret_key,
        "SOURCE_BUCKET": api.buckets.logs, "MERGED_BUCKET": api.buckets.merged})


@pytest.fixture(scope="module")
def system(rabbitmq, s3_server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("system")
    redis = Redis(folder / "redis").start()
    vhost = f"system{os.getpid()}"
    buckets = Buckets(s3_server.data, f"system{os.getpid()}")
    for name in ("readme.txt", "2019-08-18", "2019-08-18_", "2019-08-18_x", "2019-02-30_1", "x2019-08-18_1",
                 "notes/2019-08-18_1"):
        buckets.put(name, b"not a log file\n")
    api = Api(folder, rabbitmq.add_vhost(vhost), redis.url, s3_server, buckets)
    worker = start_worker(folder, api, s3_server)
    yield api
    try:
        api.close()
        api.process.finish()
        worker.finish()
    finally:
        for process in (api.process, worker):
            process.kill()
        rabbitmq.delete_vhost(vhost)
        redis.kill()


def finished(api, job):
    """The answer to the download once it is not 202 any more."""
    return wait_for(lambda: (lambda one: None if one.status == 202 else one)(api.get(f"/download/{job}")),
                    f"job {job} is over", 180)


def merged(api, start, end):
    """What the API gives for the range."""
    answer = finished(api, api.new_job(start, end))
    assert answer.status == 200, answer
    assert answer.headers["Content-Length"] == str(len(answer.body))
    assert answer.headers["Content-Disposition"] == f'attachment; filename="merged_{start}_{end}.log"'
    return answer.body


def log_file(rng, lines):
    moments = sorted(rng.random() * 86400 for _ in range(lines))
    return b"".join(b"%012.3f request %s\n" % (moment, rng.randbytes(12).hex().encode()) for moment in moments)


def shapes():
    """What must merge well: name and the contents of the files, a day each."""
    rng = random.Random(11)
    yield "one_file", [log_file(rng, 200)]
    yield "files_without_last_newline", [log_file(rng, 40)[:-1] for _ in range(5)]
    yield "empty_files", [b"", b"a\nb\n", b"", b"\n", b""]
    yield "only_empty_files", [b"", b""]
    yield "equal_lines", [b"same\n" * 300 + b"tame\n" * number for number in range(6)]
    yield "lines_of_a_mebibyte", [bytes([letter]) * MIB + b"\n" + bytes([letter + 1]) * MIB for letter in (97, 99, 98)]
    yield "any_bytes", [b"\n".join(sorted(rng.randbytes(rng.randrange(30)).replace(b"\n", b"\0") for _ in range(400)))
                        + b"\n" for _ in range(10)]


@pytest.mark.parametrize(("year", "name", "contents"), [
    pytest.param(2000 + number, name, contents, id=name) for number, (name, contents) in enumerate(shapes())])
def test_the_download_is_what_sort_makes_of_the_files(system, year, name, contents):
    for number, content in enumerate(contents):
        system.buckets.put(f"{year}-03-{number + 1:02}_1", content)
    assert merged(system, f"{year}-03-01", f"{year}-03-31") == sorted_by_sort(*contents), name


def test_the_assignments_set_and_its_borders(system):
    rng = random.Random(5)
    files = {f"2019-08-{day}_{number}": log_file(rng, 500) for day in range(16, 23) for number in (1, 2, 3)}
    for name, content in files.items():
        system.buckets.put(name, content)
    for start, end in (("2019-08-17", "2019-08-21"), ("2019-08-18", "2019-08-18"), ("2019-08-16", "2019-08-22")):
        expected = sorted_by_sort(*(content for name, content in files.items() if start <= name[:10] <= end))
        assert merged(system, start, end) == expected


def test_more_files_than_a_listing_has_on_a_page(system):
    rng = random.Random(6)
    files = [log_file(rng, 3) for _ in range(1050)]
    for number, content in enumerate(files):
        system.buckets.put(f"1999-12-{number % 31 + 1:02}_{number}", content)
    assert merged(system, "1999-12-01", "1999-12-31") == sorted_by_sort(*files)


def test_no_files_in_the_range_is_an_empty_file(system):
    assert merged(system, "1981-01-01", "1981-01-02") == b""


def test_a_file_that_is_not_sorted_is_named(system):
    system.buckets.put("1990-08-19_1", b"a\nc\nb\n")
    document = assert_problem(finished(system, system.new_job("1990-08-19", "1990-08-19")), 500, "unsorted-input")
    assert "1990-08-19_1" in document["detail"] and "3" in document["detail"]


def test_a_merge_by_the_python_client_can_be_downloaded(system):
    system.buckets.put("1991-08-19_1", b"a\nb\n")
    result = system.app.send_task("merge_s3_files", ["1991-08-19", "1991-08-19"])
    assert result.get(timeout=180)["key"] == result.id
    answer = system.get(f"/download/{result.id}")
    assert answer.status == 200 and answer.body == b"a\nb\n"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="merged_1991-08-19_1991-08-19.log"'


def test_a_job_of_the_api_can_be_waited_for_by_the_python_client(system):
    system.buckets.put("1992-08-19_1", b"a\nb\n")
    job = system.new_job("1992-08-19", "1992-08-19")
    result = system.app.AsyncResult(job).get(timeout=180)
    assert result["bytes"] == 4 and result["files_total"] == 1


def test_many_jobs_at_once_end_each_with_its_own_file(system):
    for day in range(1, 11):
        system.buckets.put(f"1993-05-{day:02}_1", b"day %d\n" % day)
    jobs = {day: system.new_job(f"1993-05-{day:02}", f"1993-05-{day:02}") for day in range(1, 11)}
    for day, job in jobs.items():
        assert finished(system, job).body == b"day %d\n" % day


def test_a_merge_in_the_middle_tells_how_far_it_is(own_api, s3_server, tmp_path):
    api = own_api()
    content = b"x" * 99 + b"\n"
    for number in range(4):
        api.buckets.put(f"2019-08-19_{number}", content * 40000)
    gate = Gate(s3_server.port, 4 * MIB)
    try:
        class Behind:
            url, access_key, secret_key = gate.url, s3_server.access_key, s3_server.secret_key

        worker = start_worker(tmp_path, api, Behind)
        job = api.new_job("2019-08-19", "2019-08-19")

        def halfway():
            # Reports come at most twice a second and only while the merge goes on: so it goes on in small steps.
            gate.step(100_000)
            answer = api.get(f"/download/{job}")
            assert answer.status == 202, answer
            body = answer.json()
            return body if body["state"] == "PROGRESS" and body["progress"]["bytes_done"] > 0 else None

        body = wait_for(halfway, "the merge tells of progress", 180, every=0.6)
        progress = body["progress"]
        assert body["download_id"] == job
        assert progress["files_total"] == 4 and progress["bytes_total"] == 16_000_000
        assert 0 < progress["bytes_done"] < 16_000_000 and 0 < progress["percent"] < 100
        gate.open()
        answer = finished(api, job)
        assert answer.status == 200 and answer.body == content * 160000
        worker.finish()
        worker.kill()
    finally:
        gate.close()


def test_ids_of_jobs_are_the_ids_of_tasks(system):
    job = system.new_job("1981-01-01", "1981-01-01")
    assert uuid.UUID(job).version == 4
    assert finished(system, job).status == 200
    assert system.app.AsyncResult(job).state == "SUCCESS"
