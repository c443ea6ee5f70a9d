"""From POST /initiate to the file with the real worker behind it."""

import pytest

from dev.servers import wait_for
from tests.api.service import assert_problem
from tests.harness.buckets import sorted_by_sort


@pytest.fixture
def service(own_api, worker, s3_server, buckets):
    worker("--concurrency", "2", name="logmerge-worker", env={
        "AWS_ENDPOINT_URL_S3": s3_server.url, "AWS_ACCESS_KEY_ID": s3_server.access_key,
        "AWS_SECRET_ACCESS_KEY": s3_server.secret_key, "SOURCE_BUCKET": buckets.logs, "MERGED_BUCKET": buckets.merged})
    return own_api()


def finished(api, job):
    """The answer to the download once it is not 202 any more."""
    return wait_for(lambda: (lambda one: None if one.status == 202 else one)(api.get(f"/download/{job}")),
                    f"job {job} is over", 120)


def test_a_range_of_files_is_merged_and_downloaded(service, buckets):
    files = {f"2019-08-{day}_{number}": b"".join(b"%02d:%03d from %d\n" % (line % 24, line, number) for line in range(0, 24))
             for day in (18, 19, 20, 21) for number in (1, 2)}
    for name, content in files.items():
        buckets.put(name, content)
    answer = finished(service, service.new_job("2019-08-19", "2019-08-20"))
    assert answer.status == 200
    assert answer.body == sorted_by_sort(*(content for name, content in files.items()
                                           if "2019-08-19" <= name[:10] <= "2019-08-20"))
    assert answer.headers["Content-Disposition"] == 'attachment; filename="merged_2019-08-19_2019-08-20.log"'


def test_no_files_in_the_range_is_an_empty_file(service):
    answer = finished(service, service.new_job("2001-01-01", "2001-01-02"))
    assert answer.status == 200 and answer.body == b"" and answer.headers["Content-Length"] == "0"


def test_a_file_that_is_not_sorted_is_named(service, buckets):
    buckets.put("2019-08-19_1", b"a\nc\nb\n")
    document = assert_problem(finished(service, service.new_job("2019-08-19", "2019-08-19")), 500, "unsorted-input")
    assert "2019-08-19_1" in document["detail"] and "3" in document["detail"]


def test_a_merge_by_the_python_client_can_be_downloaded(service, buckets):
    buckets.put("2019-08-19_1", b"a\nb\n")
    result = service.app.send_task("merge_s3_files", ["2019-08-19", "2019-08-19"])
    assert result.get(timeout=120)["key"] == result.id
    answer = service.get(f"/download/{result.id}")
    assert answer.status == 200 and answer.body == b"a\nb\n"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="merged_2019-08-19_2019-08-19.log"'
