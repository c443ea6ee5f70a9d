"""A merge that cannot be done fails with a stable exception and a sentence that a person can act on."""

import uuid

import pytest
import redis
from celery.exceptions import TimeoutError as ResultTimeout


def failure(app, args=("2019-08-17", "2019-08-19"), kwargs=None, task_id=None):
    """The exception's name and text that a Python client gets."""
    result = app.send_task("merge_s3_files", list(args), kwargs or {}, task_id=task_id)
    try:
        value = result.get(timeout=180)
    except ResultTimeout:
        raise
    except Exception as error:
        return type(error).__name__, str(error)
    raise AssertionError(f"it succeeded with {value}")


def test_an_unsorted_file_fails_the_merge_by_name_line_and_reason(merge_worker, app, buckets):
    buckets.put("2019-08-17_1", b"a\nb\n")
    buckets.put("2019-08-18_1", b"a\nc\nb\n")
    merge_worker()
    task_id = str(uuid.uuid4())
    name, text = failure(app, task_id=task_id)
    assert name == "UnsortedInput"
    assert text == f'{buckets.logs}/2019-08-18_1 is not sorted: line 3, "b", comes after "c"'
    assert buckets.merged_object(task_id) is None


def test_a_line_over_the_limit_fails_the_merge_by_name_and_offset(merge_worker, app, buckets):
    buckets.put("2019-08-17_1", b"a\n" + b"b" * 5000 + b"\n")
    merge_worker("--line-limit", "4k")
    name, text = failure(app)
    assert name == "LineTooLong"
    assert f"{buckets.logs}/2019-08-17_1: line 2, at byte 2, is longer than the limit of 4096 bytes" in text


def test_more_files_than_a_worker_takes_fail_the_merge(merge_worker, app, buckets):
    for number in range(3):
        buckets.put(f"2019-08-17_{number}", b"a\n")
    merge_worker("--maximum-files", "2")
    assert failure(app) == ("TooManyFiles", "the range has more than 2 files")


@pytest.mark.parametrize(("args", "kwargs", "name"), [
    pytest.param(["2019-08-17", "2019-02-29"], {}, "ValueError", id="no_such_day"),
    pytest.param(["2019-8-17", "2019-08-18"], {}, "ValueError", id="not_of_the_form"),
    pytest.param(["2019-08-19", "2019-08-17"], {}, "ValueError", id="end_before_start"),
    pytest.param(["2019-08-19"], {}, "TypeError", id="one_missing"),
    pytest.param([20190817, 20190818], {}, "TypeError", id="numbers"),
    pytest.param(["2019-08-17", "2019-08-18", "x"], {}, "TypeError", id="one_too_many"),
    pytest.param(["2019-08-17"], {"end": "2019-08-18"}, "TypeError", id="unknown_keyword"),
])
def test_arguments_that_are_no_range_of_dates_fail_the_task(merge_worker, app, args, kwargs, name):
    merge_worker()
    assert failure(app, args, kwargs)[0] == name


def test_a_bucket_that_is_not_there_fails_the_merge(merge_worker, app, buckets):
    merge_worker(env={"SOURCE_BUCKET": "no-such-bucket-here"})
    name, text = failure(app)
    assert name == "StorageError"
    assert "no-such-bucket-here" in text


def test_wrong_credentials_fail_the_merge_and_are_not_told(merge_worker, app, buckets):
    merge_worker(env={"AWS_SECRET_ACCESS_KEY": "wrong-secret-of-this-test"})
    name, text = failure(app)
    assert name == "StorageDenied"
    assert "wrong-secret-of-this-test" not in text


def test_s3_away_for_longer_than_the_setting_allows_fails_the_merge(merge_worker, app):
    merge_worker("--s3-outage", "1", s3="http://127.0.0.1:9")
    assert failure(app)[0] == "StorageUnavailable"


def test_a_cancelled_merge_is_not_begun(merge_worker, app, buckets, redis_url):
    buckets.put("2019-08-18_1", b"a\n")
    task_id = str(uuid.uuid4())
    with redis.Redis.from_url(redis_url) as connection:
        connection.set(f"logmerge:cancelled:{task_id}", "1")
    merge_worker()
    assert failure(app, task_id=task_id)[0] == "MergeCancelled"
    assert buckets.merged_object(task_id) is None


def test_the_worker_goes_on_after_failures(merge_worker, merge, app, buckets):
    buckets.put("2019-08-17_1", b"b\na\n")
    buckets.put("2019-08-21_1", b"a\nb\n")
    merge_worker()
    for _ in range(3):
        assert failure(app)[0] == "UnsortedInput"
    assert merge("2019-08-20", "2019-08-22")["lines"] == 2
