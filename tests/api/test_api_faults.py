"""What the API answers while something behind it is away, and that a download is whole or visibly cut."""

import concurrent.futures
import http.client
import os
import signal

import pytest

from dev.servers import wait_for
from tests.api.service import assert_problem, unknown_id

MIB = 1 << 20


def test_redis_away_means_no_job_and_no_answer_about_one(own_api, own_redis):
    redis = own_redis()
    api = own_api(redis=redis.url, REDIS_TIMEOUT=5)
    job = api.new_job()
    api.published()
    redis.stop()
    assert_problem(api.initiate(), 503, "unavailable")
    assert_problem(api.initiate(Idempotency_Key="key"), 503, "unavailable")
    assert_problem(api.get(f"/download/{job}"), 503, "unavailable")
    assert api.published() == []
    redis.start()
    wait_for(lambda: api.get(f"/download/{job}").status == 202, "the job is known again", 120)
    assert api.initiate().status == 202


def test_a_redis_that_hangs_is_not_waited_for_long(own_api, own_redis):
    redis = own_redis()
    api = own_api(redis=redis.url, REDIS_TIMEOUT=5)
    redis.process.send_signal(signal.SIGSTOP)
    try:
        assert_problem(api.initiate(), 503, "unavailable")
        assert_problem(api.get(f"/download/{unknown_id()}"), 503, "unavailable")
    finally:
        redis.process.send_signal(signal.SIGCONT)
    wait_for(lambda: api.initiate().status == 202, "jobs are accepted again", 120)


def test_the_broker_away_means_no_job_and_nothing_half_recorded(own_api, own_rabbitmq):
    rabbitmq = own_rabbitmq()
    api = own_api(broker=rabbitmq.url, PUBLISH_TIMEOUT=5)
    waiting = api.new_job()
    rabbitmq.stop()
    before = api.redis_keys()
    assert_problem(api.initiate(), 503, "unavailable")
    assert_problem(api.initiate(Idempotency_Key="key"), 503, "unavailable")
    assert api.redis_keys() == before
    assert api.get(f"/download/{waiting}").status == 202
    rabbitmq.start()
    wait_for(lambda: api.initiate(Idempotency_Key="key").status == 202, "jobs are accepted again", 120)


def test_s3_away_before_the_first_byte_is_told(own_api, own_s3):
    s3 = own_s3()
    api = own_api(s3=s3, S3_RETRY_TIME="0.5")
    job = api.merged(b"a\n")
    queued = api.new_job()
    s3.stop()
    assert_problem(api.get(f"/download/{job}"), 503, "unavailable")
    assert api.head(f"/download/{job}").status == 503
    assert api.get(f"/download/{queued}").status == 202
    s3.start()
    answer = wait_for(lambda: (lambda one: one if one.status == 200 else None)(api.get(f"/download/{job}")),
                      "the file can be had again", 120)
    assert answer.body == b"a\n"


def begin_download(api, job):
    """Asks for the file and reads the first bytes of it: (connection, answer)."""
    connection = api.connect()
    connection.request("GET", f"/download/{job}")
    answer = connection.getresponse()
    assert answer.status == 200
    answer.read(1000)
    return connection, answer


def test_s3_away_in_the_middle_cuts_the_connection(own_api, own_s3):
    s3 = own_s3()
    api = own_api(s3=s3, STREAM_RETRY_TIME=1)
    job = api.merged(b"x" * (64 * MIB))
    connection, answer = begin_download(api, job)
    s3.kill()
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        answer.read()
    connection.close()
    assert api.get("/healthz").status == 200


def test_a_short_outage_in_the_middle_is_bridged(own_api, own_s3):
    s3 = own_s3()
    api = own_api(s3=s3, STREAM_RETRY_TIME=100)
    content = os.urandom(MIB) * 48
    job = api.merged(content)
    connection, answer = begin_download(api, job)
    s3.kill()
    s3.start()
    assert answer.read() == content[1000:]
    connection.close()


def test_a_file_that_changes_in_the_middle_is_never_mixed(own_api, own_s3):
    s3 = own_s3()
    api = own_api(s3=s3, STREAM_RETRY_TIME=100)
    job = api.merged(b"x" * (48 * MIB))
    connection, answer = begin_download(api, job)
    s3.kill()
    api.merged(b"y" * (48 * MIB), job)
    os.utime(s3.data / api.buckets.merged / job, (1, 1))
    s3.start()
    got = b""
    with pytest.raises((http.client.IncompleteRead, ConnectionError)) as cut:
        while True:
            block = answer.read(MIB)
            if not block:
                break
            got += block
        raise ConnectionError("the body ended before its length") if len(got) < 48 * MIB - 1000 else AssertionError
    assert b"y" not in got + getattr(cut.value, "partial", b"")
    connection.close()


def descriptors(api):
    return len(os.listdir(f"/proc/{api.process.pid}/fd"))


def test_clients_that_go_away_leave_nothing_behind(own_api):
    api = own_api()
    job = api.merged(b"x" * (16 * MIB))
    ended = 0

    def come_and_go():
        nonlocal ended
        for connection, answer in [begin_download(api, job) for _ in range(8)]:
            answer.close()
            connection.close()
        ended += 8
        wait_for(lambda: api.process.log().count("the download ended after") >= ended, "all downloads ended", 120)

    for _ in range(3):
        come_and_go()
    few = descriptors(api)
    for _ in range(6):
        come_and_go()
    # A few connections to S3 and Redis are kept, now more, now less; not one for each of the 48 clients.
    wait_for(lambda: descriptors(api) <= few + 16, "no descriptor is left behind", 120)


def test_downloads_beside_each_other_are_each_whole(own_api):
    api = own_api()
    contents = [os.urandom(MIB) * 3 for _ in range(8)]
    jobs = [api.merged(content) for content in contents]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda number: api.get(f"/download/{jobs[number % 8]}"), range(32)))
    for number, answer in enumerate(answers):
        assert answer.status == 200 and answer.body == contents[number % 8]


def memory(api):
    """The most memory that the process ever had, in bytes."""
    with open(f"/proc/{api.process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024


def test_the_memory_does_not_grow_with_the_file(own_api):
    # The sanitizer keeps what was freed for a while: as good as nothing here, so that the program's own memory shows.
    api = own_api(ASAN_OPTIONS="exitcode=97:detect_leaks=1:quarantine_size_mb=1")
    path = api.buckets.data / api.buckets.merged

    def download(size):
        job = api.merged(b"")
        os.truncate(path / job, size)
        connection = api.connect()
        connection.request("GET", f"/download/{job}")
        answer = connection.getresponse()
        got = 0
        while True:
            block = answer.read(MIB)
            if not block:
                break
            got += len(block)
        connection.close()
        assert got == size

    download(8 * MIB)
    small = memory(api)
    download(256 * MIB)
    assert memory(api) - small < 48 * MIB
