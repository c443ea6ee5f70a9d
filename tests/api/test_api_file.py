"""GET and HEAD /download/<id> of a merged file: bytes, headers, conditions, ranges."""

import email.utils
import os

import pytest

from tests.api.service import assert_problem

LINES = b"".join(b"line %05d\n" % number for number in range(1000))


@pytest.fixture(scope="module")
def job(api):
    return api.merged(LINES)


def test_the_file_comes_whole_with_its_headers(api, job):
    answer = api.get(f"/download/{job}")
    assert answer.status == 200 and answer.body == LINES
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Content-Length"] == str(len(LINES))
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["ETag"].startswith('"') and answer.headers["ETag"].endswith('"')
    assert email.utils.parsedate_to_datetime(answer.headers["Last-Modified"])
    assert answer.headers["Content-Disposition"] == 'attachment; filename="merged_2019-08-19_2019-08-25.log"'
    assert "Transfer-Encoding" not in answer.headers


def test_head_has_the_headers_of_get_and_no_body(api, job):
    get, head = api.get(f"/download/{job}"), api.head(f"/download/{job}")
    assert head.status == 200 and head.body == b""
    for name in ("Content-Type", "Content-Length", "ETag", "Last-Modified", "Accept-Ranges", "Content-Disposition"):
        assert head.headers[name] == get.headers[name]


def test_an_empty_file_is_no_error(api):
    job = api.merged(b"")
    answer = api.get(f"/download/{job}")
    assert answer.status == 200 and answer.body == b"" and answer.headers["Content-Length"] == "0"
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert api.head(f"/download/{job}").headers["Content-Length"] == "0"


@pytest.mark.parametrize("size", [1, 65535, 65536, 65537, 524288, 524289, 3_000_001])
def test_every_size_comes_whole(api, size):
    content = os.urandom(size)
    answer = api.get(f"/download/{api.merged(content)}")
    assert answer.status == 200 and answer.body == content


@pytest.mark.parametrize("value, first, last", [
    ("bytes=0-0", 0, 0), ("bytes=0-9", 0, 9), ("bytes=5000-5999", 5000, 5999), ("bytes=10900-", 10900, 10999),
    ("bytes=-10", 10990, 10999), ("bytes=-999999", 0, 10999), ("bytes=10990-20000", 10990, 10999),
    ("bytes=0-", 0, 10999)])
def test_a_range_comes_as_a_part(api, job, value, first, last):
    answer = api.get(f"/download/{job}", Range=value)
    assert answer.status == 206
    assert answer.body == LINES[first:last + 1]
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{len(LINES)}"
    assert answer.headers["Content-Length"] == str(last - first + 1)


@pytest.mark.parametrize("value", ["bytes=11000-", "bytes=11000-11001", "bytes=-0", "bytes=99999999999999999999-"])
def test_a_range_outside_of_the_file_is_not_satisfiable(api, job, value):
    answer = api.get(f"/download/{job}", Range=value)
    assert_problem(answer, 416, "range-not-satisfiable")
    assert answer.headers["Content-Range"] == f"bytes */{len(LINES)}"


@pytest.mark.parametrize("value", ["lines=1-2", "bytes=5-2", "bytes=x-y", "bytes=0-1,4-5", "bytes", ""])
def test_a_range_that_is_not_understood_is_ignored(api, job, value):
    answer = api.get(f"/download/{job}", Range=value)
    assert answer.status == 200 and answer.body == LINES


def test_a_range_of_head_is_ignored(api, job):
    answer = api.head(f"/download/{job}", Range="bytes=0-9")
    assert answer.status == 200 and answer.headers["Content-Length"] == str(len(LINES))


def test_a_download_can_be_taken_up_where_it_broke_off(api, job):
    etag = api.head(f"/download/{job}").headers["ETag"]
    got = b""
    while len(got) < len(LINES):
        answer = api.get(f"/download/{job}", Range=f"bytes={len(got)}-{len(got) + 2999}", If_Range=etag)
        assert answer.status == 206
        got += answer.body
    assert got == LINES


def test_if_range_of_another_version_gets_the_whole(api, job):
    for value in ('"another"', "Sun, 06 Nov 1994 08:49:37 GMT"):
        answer = api.get(f"/download/{job}", Range="bytes=0-9", If_Range=value)
        assert answer.status == 200 and answer.body == LINES
    modified = api.head(f"/download/{job}").headers["Last-Modified"]
    assert api.get(f"/download/{job}", Range="bytes=0-9", If_Range=modified).status == 206


def test_what_the_client_has_is_not_sent_again(api, job):
    known = api.head(f"/download/{job}").headers
    for headers in ({"If_None_Match": known["ETag"]}, {"If_None_Match": "W/" + known["ETag"]},
                    {"If_None_Match": '"x", ' + known["ETag"]}, {"If_None_Match": "*"},
                    {"If_Modified_Since": known["Last-Modified"]}):
        for answer in (api.get(f"/download/{job}", **headers), api.head(f"/download/{job}", **headers)):
            assert answer.status == 304 and answer.body == b""
            assert answer.headers["ETag"] == known["ETag"]
    assert api.get(f"/download/{job}", If_None_Match='"x"').status == 200
    assert api.get(f"/download/{job}", If_Modified_Since="Sun, 06 Nov 1994 08:49:37 GMT").status == 200
    assert api.get(f"/download/{job}", If_None_Match='"x"', If_Modified_Since=known["Last-Modified"]).status == 200


def test_preconditions_that_fail_are_told(api, job):
    known = api.head(f"/download/{job}").headers
    assert api.get(f"/download/{job}", If_Match=known["ETag"]).status == 200
    assert api.get(f"/download/{job}", If_Match="*").status == 200
    assert api.get(f"/download/{job}", If_Unmodified_Since=known["Last-Modified"]).status == 200
    assert_problem(api.get(f"/download/{job}", If_Match='"x"'), 412, "precondition-failed")
    assert_problem(api.get(f"/download/{job}", If_Match="W/" + known["ETag"]), 412, "precondition-failed")
    assert_problem(api.get(f"/download/{job}", If_Unmodified_Since="Sun, 06 Nov 1994 08:49:37 GMT"), 412,
                   "precondition-failed")
    assert api.head(f"/download/{job}", If_Match='"x"').status == 412


def test_a_connection_serves_one_download_after_another(api, job):
    connection = api.connect()
    for number in range(20):
        connection.request("GET" if number % 3 else "HEAD", f"/download/{job}")
        answer = connection.getresponse()
        assert answer.status == 200 and answer.read() == (LINES if number % 3 else b"")
    connection.close()
