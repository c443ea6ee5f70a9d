"""POST /initiate with an Idempotency-Key."""

import concurrent.futures
import json
import uuid

import pytest

from tests.api.service import assert_problem


def key():
    return str(uuid.uuid4())


def test_the_same_key_gets_the_first_answer_again(own_api):
    api = own_api()
    name = key()
    first = api.initiate(Idempotency_Key=name)
    again = api.initiate(Idempotency_Key=name)
    assert first.status == again.status == 202
    assert first.body == again.body and first.headers["Location"] == again.headers["Location"]
    assert len(api.published()) == 1


def test_another_body_under_the_key_is_refused(api):
    name = key()
    assert api.initiate("2019-08-19", "2019-08-25", Idempotency_Key=name).status == 202
    assert_problem(api.initiate("2019-08-19", "2019-08-26", Idempotency_Key=name), 422, "idempotency-key-reused")
    assert api.initiate("2019-08-19", "2019-08-25", Idempotency_Key=name).status == 202


def test_the_same_range_written_otherwise_is_the_same_body(api):
    name = key()
    first = api.post('{"start_date":"2019-08-19","end_date":"2019-08-25"}', Idempotency_Key=name)
    again = api.post('{ "end_date": "2019-08-25", "start_date": "2019-08-19" }', Idempotency_Key=name)
    assert first.status == 202 and first.body == again.body


def test_a_refused_body_does_not_use_up_the_key(api):
    name = key()
    assert api.initiate("2019-08-26", "2019-08-25", Idempotency_Key=name).status == 422
    assert api.initiate("2019-08-25", "2019-08-26", Idempotency_Key=name).status == 202


def test_requests_at_the_same_time_to_two_processes_make_one_job(own_api):
    two = [own_api(), own_api()]
    for _ in range(5):
        name = key()
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda number: two[number % 2].initiate(Idempotency_Key=name), range(16)))
        assert {answer.status for answer in answers} == {202}
        assert len({answer.body for answer in answers}) == 1
    assert len({headers["id"] for headers, _, _ in two[0].published()}) == 5


def test_a_claim_left_behind_by_a_process_that_died_is_taken_over(own_api):
    api = own_api(PUBLISH_TIMEOUT=5)
    name, job = key(), str(uuid.uuid4())
    api.app.backend.client.set(f"logmerge:idempotency:{name}", json.dumps(
        {"download_id": job, "start_date": "2019-08-19", "end_date": "2019-08-25", "published": False}))
    answer = api.initiate(Idempotency_Key=name)
    assert answer.status == 202 and answer.json()["download_id"] == job
    assert [headers["id"] for headers, _, _ in api.published()] == [job]
    assert api.get(f"/download/{job}").status == 202


@pytest.mark.parametrize("value", ["", "x" * 256, "two words", "caf\u00e9"])
def test_a_key_that_is_not_well_formed_is_refused(api, value):
    answer = api.initiate(Idempotency_Key=value.encode("latin-1"))
    assert_problem(answer, 400, "invalid-idempotency-key")


def test_a_key_of_255_characters_is_taken(api):
    name = (key() * 10)[:255]
    assert api.initiate(Idempotency_Key=name).body == api.initiate(Idempotency_Key=name).body
