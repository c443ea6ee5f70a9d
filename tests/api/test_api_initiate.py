"""POST /initiate."""

import json
import uuid

import pytest

from tests.api.service import assert_problem

GOOD = {"start_date": "2019-08-19", "end_date": "2019-08-25"}


def test_a_valid_request_is_accepted_with_an_id(api):
    answer = api.post(GOOD)
    assert answer.status == 202
    assert answer.headers["Content-Type"] == "application/json"
    body = answer.json()
    assert list(body) == ["download_id"]
    assert uuid.UUID(body["download_id"]).version == 4
    assert answer.headers["Location"] == f"/download/{body['download_id']}"


def test_each_request_gets_an_id_of_its_own(api):
    assert api.new_job() != api.new_job()


def test_the_task_is_published_as_celery_would(own_api):
    api = own_api()
    job = api.new_job()
    (headers, (args, kwargs, embed), properties), = api.published()
    assert headers["task"] == "merge_s3_files" and headers["id"] == job
    assert args == ["2019-08-19", "2019-08-25"] and kwargs == {}
    assert embed["chain"] is None and embed["callbacks"] is None
    assert properties["correlation_id"] == job and properties["delivery_mode"] == 2
    assert headers["argsrepr"] == "('2019-08-19', '2019-08-25')"


def test_the_trace_of_the_client_goes_on_in_the_task(own_api):
    api = own_api()
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert api.post(GOOD, traceparent=parent).status == 202
    assert api.post(GOOD, traceparent="nonsense").status == 202
    first, second = api.published()
    assert first[0]["traceparent"] == parent
    assert "traceparent" not in second[0]


@pytest.mark.parametrize("start, end", [
    ("2019-08-19", "2019-08-19"), ("2020-02-29", "2020-03-01"), ("0001-01-01", "0001-01-02"),
    ("9999-12-31", "9999-12-31")])
def test_ranges_of_one_day_and_on_the_borders_are_accepted(api, start, end):
    assert api.initiate(start, end).status == 202


@pytest.mark.parametrize("content_type", [
    "application/json; charset=utf-8", "application/json;charset=UTF-8", "Application/JSON", "application/json ; x=y"])
def test_parameters_of_the_content_type_are_allowed(api, content_type):
    assert api.post(GOOD, Content_Type=content_type).status == 202


@pytest.mark.parametrize("content_type", [
    "text/plain", "application/jsonp", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
    "application/problem+json", "json", ""])
def test_another_content_type_is_refused(api, content_type):
    assert_problem(api.post(GOOD, Content_Type=content_type), 415, "unsupported-media-type")


def test_a_body_without_a_content_type_is_refused(api):
    answer = api.request("POST", "/initiate", json.dumps(GOOD))
    assert_problem(answer, 415, "unsupported-media-type")
    assert answer.headers["Accept"] == "application/json"


def test_a_compressed_body_is_refused(api):
    assert_problem(api.post(GOOD, Content_Encoding="gzip"), 415, "unsupported-media-type")


@pytest.mark.parametrize("body", [
    b"", b"   ", b"{", b"start_date=2019-08-19", b'{"start_date": "2019-08-19", "end_date": "2019-08-25"} x',
    b'{"start_date": "2019-08-19", "end_date": "2019-08-25"}{}', b'{"start_date": "\xff", "end_date": "2019-08-25"}',
    b'\xef\xbb\xbf{"start_date": "2019-08-19", "end_date": "2019-08-25"}',
    b'{"start_date": "2019-08-19", "end_date": "2019-08-25", "end_date": "2019-08-25"}',
    b'{"start_date": "2019-08-19", "end_date": "2019-08-25",}', b"[" * 33 + b"]" * 33, b"[" * 60000,
    b'{"start_date": "2019-08-19", "end_date": "2019-08-25"}\x00', "{}".encode("utf-16"), b"NaN"],
    ids=["empty", "blank", "cut", "form", "trailing", "two", "not-utf8", "bom", "twice", "comma", "deep",
         "very-deep", "nul", "utf16", "nan"])
def test_what_is_not_strict_json_is_malformed(api, body):
    assert_problem(api.post(body), 400, "malformed-json")


@pytest.mark.parametrize("body, pointers", [
    ({}, ["", ""]),
    ([], [""]), ("null", [""]), ("5", [""]), ('"2019-08-19"', [""]),
    ({"start_date": "2019-08-19"}, [""]),
    ({**GOOD, "format": "gz"}, ["/format"]),
    ({**GOOD, "a/b~c": 1, "x": 2}, ["/a~1b~0c", "/x"]),
    ({"start_date": 20190819, "end_date": None}, ["/start_date", "/end_date"]),
    ({"start_date": ["2019-08-19"], "end_date": {}}, ["/start_date", "/end_date"]),
    ({"start_date": "2019-02-29", "end_date": "2019-03-01"}, ["/start_date"]),
    ({"start_date": "2019-8-19", "end_date": "19-08-2019"}, ["/start_date", "/end_date"]),
    ({"start_date": "2019-08-19T00:00:00Z", "end_date": "2019-08-25 "}, ["/start_date", "/end_date"]),
    ({"start_date": "", "end_date": "2019-13-01"}, ["/start_date", "/end_date"]),
    ({"start_date": "2019-08-19\u0000", "end_date": "\u0662\u0660\u0661\u0669-08-25"}, ["/start_date", "/end_date"]),
    ({"start_date": "2019-08-26", "end_date": "2019-08-25"}, ["/end_date"]),
    ({"start_date": "0001-01-01", "end_date": "9999-12-31"}, ["/end_date"]),
    ({"Start_Date": "2019-08-19", "end_date": "2019-08-25"}, ["", "/Start_Date"]),
])
def test_every_problem_of_a_body_is_named(api, body, pointers):
    document = assert_problem(api.post(body), 422, "invalid-request")
    assert sorted(error["pointer"] for error in document["errors"]) == sorted(pointers)
    assert all(error["detail"] for error in document["errors"])


def test_the_maximum_of_a_range_is_a_setting(own_api):
    api = own_api(MAXIMUM_DAYS=7)
    assert api.initiate("2019-08-19", "2019-08-25").status == 202
    document = assert_problem(api.initiate("2019-08-19", "2019-08-26"), 422, "invalid-request")
    assert "8 days" in document["errors"][0]["detail"]


def test_a_refused_request_leaves_nothing_behind(own_api):
    api = own_api()
    for body in (b"{", {}, {**GOOD, "x": 1}, {"start_date": "2019-08-26", "end_date": "2019-08-25"}):
        assert api.post(body).status in (400, 422)
    assert not [key for key in api.redis_keys() if key.startswith("logmerge")]
    assert api.published() == []


def test_a_body_of_64_kib_is_read(api):
    body = json.dumps(GOOD).encode()
    assert api.post(body + b" " * (65536 - len(body))).status == 202


def test_a_larger_body_is_refused(api):
    body = json.dumps(GOOD).encode()
    assert_problem(api.post(body + b" " * (65537 - len(body))), 413, "body-too-large")
    assert_problem(api.post(b"x" * 5_000_000), 413, "body-too-large")


def test_a_larger_body_without_a_length_is_refused(api):
    connection = api.connect()
    connection.request("POST", "/initiate", body=iter([b" " * 50000, b" " * 50000]), encode_chunked=True,
                       headers={"Content-Type": "application/json", "Transfer-Encoding": "chunked"})
    answer = connection.getresponse()
    assert answer.status == 413
    answer.read()
    connection.close()


def test_a_chunked_body_is_read(api):
    connection = api.connect()
    body = json.dumps(GOOD).encode()
    connection.request("POST", "/initiate", body=iter([body[:5], body[5:]]), encode_chunked=True,
                       headers={"Content-Type": "application/json", "Transfer-Encoding": "chunked"})
    answer = connection.getresponse()
    assert answer.status == 202
    answer.read()
    connection.close()


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "NONSENSE"])
def test_other_methods_are_not_allowed(api, method):
    answer = api.request(method, "/initiate")
    assert answer.status == 405
    assert answer.headers["Allow"] == "POST, OPTIONS"
    if method != "HEAD":
        assert_problem(answer, 405, "method-not-allowed")


def test_options_tell_the_methods(api):
    answer = api.request("OPTIONS", "/initiate")
    assert answer.status == 204 and answer.headers["Allow"] == "POST, OPTIONS" and answer.body == b""


def test_another_path_is_not_found(api):
    for path in ("/", "/initiate/x", "/Initiate", "/download", "/%00", "/initiate%2f"):
        assert_problem(api.get(path), 404, "not-found")


def test_every_answer_carries_a_request_id(api):
    for answer in (api.post(GOOD), api.post(b""), api.get("/nothing"), api.get("/initiate"),
                   api.request("OPTIONS", "/initiate"), api.get("/healthz")):
        assert uuid.UUID(answer.headers["X-Request-Id"])
    assert api.post(GOOD, X_Request_Id="my.request-1_a").headers["X-Request-Id"] == "my.request-1_a"
    assert api.get("/nothing", X_Request_Id="abc").headers["X-Request-Id"] == "abc"


@pytest.mark.parametrize("value", ["two words", "x" * 129, "a\"b", "caf\u00e9", ""])
def test_a_request_id_that_could_harm_a_log_is_replaced(api, value):
    answer = api.post(GOOD, X_Request_Id=value.encode("latin-1"))
    assert answer.status == 202
    assert uuid.UUID(answer.headers["X-Request-Id"])


def test_many_requests_on_one_connection_are_answered_in_order(api):
    connection = api.connect()
    for number in range(50):
        connection.request("POST", "/initiate", json.dumps(GOOD),
                           {"Content-Type": "application/json", "X-Request-Id": f"n{number}"})
        answer = connection.getresponse()
        assert answer.status == 202 and answer.headers["X-Request-Id"] == f"n{number}"
        answer.read()
    connection.close()
