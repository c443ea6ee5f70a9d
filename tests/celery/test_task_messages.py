"""How celeryc reads tasks' messages, held against kombu's own decoding and Celery's disposal of what is malformed."""

import json
import random
import re
from datetime import datetime, timezone

import pytest
from celery.utils.time import maybe_make_aware
from dateutil.parser import isoparse
from kombu.utils.json import loads

from tests.celery.test_repr import random_value, through_the_tool

PIECES = ["[", "]", "{", "}", ",", ":", '"', "null", "true", "false", "NaN", "Infinity", "-Infinity", "-", "0", "1", "01",
          "1.", "1.5", ".5", "1e5", "1e", "1e999", "9" * 30, '"a"', '"\\u00e9"', '"\\ud800"', '"\\x"', '"\\u12"', " ", "\n",
          "\t", "\x0b", "\u00a0", "\x00", "é", "\ufeff", "'", "\\", "//", "None", "tru", "[[1], {}, {}]", '{"a": 1}']


def headers(**more):
    return {"task": "demo.add", "id": "the-id", **more}


def read(messages):
    return [json.loads(answer) for answer in through_the_tool("body", messages)]


def read_one(body, content_type="application/json", head=None):
    return read([{"content_type": content_type, "headers": headers() if head is None else head, "body": body}])[0]


def disposal(text):
    """What Celery makes of a body of protocol 2: (fault, args, kwargs)."""
    try:
        value = loads(text.encode())
    except Exception:
        return "undecodable"
    if isinstance(value, list) and len(value) == 3 and (isinstance(value[2], dict) or not value[2]):
        return "good" if isinstance(value[0], list) and isinstance(value[1], dict) else "unfit"
    return "invalid"


def mutated(numbers, text):
    for _ in range(numbers.randrange(1, 4)):
        at = numbers.randrange(len(text) + 1)
        kind = numbers.randrange(3)
        if kind == 0:
            text = text[:at] + numbers.choice(PIECES) + text[at:]
        elif kind == 1:
            text = text[:at] + text[at + numbers.randrange(1, 4):]
        else:
            text = text[:at] + numbers.choice(PIECES) + text[at + 1:]
    return text


def test_bodies_decode_exactly_where_python_decodes_them():
    numbers = random.Random(5)
    bodies = ["".join(numbers.choice(PIECES) for _ in range(numbers.randrange(1, 12))) for _ in range(4000)]
    for _ in range(4000):
        value = [[random_value(numbers, 3)], {"k": random_value(numbers, 3)}, {"callbacks": None, "chain": []}]
        bodies.append(mutated(numbers, json.dumps(value, ensure_ascii=numbers.randrange(2) == 0)))
    bodies = [body for body in bodies if "__type__" not in body]
    answers = read([{"content_type": "application/json", "headers": headers(), "body": body} for body in bodies])
    for body, answer in zip(bodies, answers):
        expected = disposal(body)
        if expected == "good" and answer["fault"] == "unfit":
            assert not holdable(loads(body.encode())[:2]), (body, answer)
        else:
            assert answer["fault"] == expected, (body, answer)
        if answer["fault"] == "good":
            assert [answer["args"], answer["kwargs"]] == loads(body.encode())[:2]


def holdable(value):
    """Whether Jansson holds it: 64 bits, finite, no lone surrogates, no NUL in a key."""
    if isinstance(value, dict):
        return all(holdable(key) and "\0" not in key and holdable(item) for key, item in value.items())
    if isinstance(value, list):
        return all(holdable(item) for item in value)
    if isinstance(value, str):
        return not any(0xd800 <= ord(character) < 0xe000 for character in value)
    if isinstance(value, float):
        return value == value and abs(value) != float("inf")
    return not isinstance(value, int) or isinstance(value, bool) or -2 ** 63 <= value < 2 ** 63


def test_signatures_pass_through_as_the_bytes_that_came():
    embedded = '{"callbacks":[{"huge":123456789012345678901234567890 , "nan":NaN}], "chord" : null, "chain": [ "\\ud800" ]}'
    answer = read_one(f"[[1], {{}}, {embedded}]")
    assert answer["fault"] == "good"
    assert answer["callbacks"] == '[{"huge":123456789012345678901234567890 , "nan":NaN}]'
    assert answer["chain"] == '[ "\\ud800" ]'
    assert (answer["chord"], answer["errbacks"]) == (None, None)


@pytest.mark.parametrize("argument", ["1" + "0" * 30, "NaN", "-Infinity", '"\\ud800"', "1e999"])
def test_an_argument_that_c_cannot_hold_fails_the_task_and_nothing_else(argument):
    answer = read_one(f"[[{argument}], {{}}, {{}}]")
    assert answer["fault"] == "unfit"
    assert "cannot be held" in answer["error"]


@pytest.mark.parametrize("body, fault", [
    ("[[1], {}, null]", "good"), ("[[1], {}, {}]", "good"), ("[[1], {}, false]", "good"),
    ("[[1], {}]", "invalid"), ("null", "invalid"), ("[]", "invalid"), ("5", "invalid"), ('"abc"', "invalid"),
    ("", "invalid"), ("{}", "invalid"), ("[[1], {}, 5]", "invalid"), ("[[1], {}, {}, 4]", "invalid"),
    (" ", "undecodable"), ("[[1], {}, {}", "undecodable"), ("[[1], {}, {}] x", "undecodable"),
    ("[" * 100000, "undecodable"), ("[" * 950 + "]" * 950, "undecodable"), ("[null, {}, {}]", "unfit"),
    ("[[1], null, {}]", "unfit"), ("[[1], [2], {}]", "unfit"),
])
def test_a_body_is_disposed_of_by_what_is_wrong_with_it(body, fault):
    assert read_one(body)["fault"] == fault


@pytest.mark.parametrize("content_type", ["application/x-python-serialize", "application/x-yaml", "text/plain", None, "",
                                          "application/data", "APPLICATION/JSON"])
def test_other_content_than_json_is_not_accepted(content_type):
    answer = read_one("[[1], {}, {}]", content_type)
    assert (answer["fault"], answer["id"], answer["task"]) == ("not accepted", "the-id", "demo.add")


@pytest.mark.parametrize("head, fault", [
    ({"task": "t"}, "invalid"), ({"task": "t", "id": None}, "invalid"), ({"task": "t", "id": 5}, "invalid"),
    ({"task": None, "id": "i"}, "good"), ({"task": ["t"], "id": "i"}, "invalid"), ({"id": "i"}, "unknown format"),
    ({}, "unknown format"), (headers(id="x" * 5000), "invalid"), (headers(id="a\0b"), "invalid"),
    (headers(eta="yesterday"), "invalid"), (headers(eta=5), "invalid"), (headers(eta=""), "invalid"),
    (headers(expires="2026-13-01"), "invalid"), (headers(expires={}), "invalid"),
    (headers(timelimit=[1]), "invalid"), (headers(timelimit="10"), "invalid"), (headers(timelimit=["1", None]), "invalid"),
    (headers(retries="1"), "good"), (headers(retries=-1), "good"), (headers(group=7), "good"),
    (headers(compression="application/x-snappy"), "undecodable"), (headers(compression=5), "undecodable"),
    (headers(compression="gzip"), "undecodable"), (headers(compression=None), "good"), (headers(compression=""), "good"),
    (headers(eta=None, expires=None, timelimit=None, retries=None, group=None, shadow=None), "good"),
    (headers(timelimit=[None, 2.5], retries=3, eta="2026-01-01T00:00:00Z", shadow=5, origin=None, stamps=[]), "good"),
])
def test_headers_are_disposed_of_by_what_is_wrong_with_them(head, fault):
    assert read_one("[[1], {}, {}]", head=head)["fault"] == fault


def test_protocol_1_is_read_from_the_body():
    body = {"task": "demo.add", "id": "old", "args": [1, "x"], "kwargs": {"k": 2}, "retries": 2, "utc": True,
            "eta": "2026-11-24T00:00:10", "expires": None, "taskset": None, "timelimit": [None, None],
            "callbacks": [{"task": "next"}], "errbacks": None, "chord": None, "chain": ["not of this protocol"]}
    answer = read_one(json.dumps(body), head={})
    assert answer["fault"] == "good"
    assert (answer["id"], answer["task"], answer["retries"]) == ("old", "demo.add", 2)
    assert (answer["argsrepr"], answer["kwargsrepr"]) == ("[1, 'x']", "{'k': 2}")
    assert (answer["args"], answer["kwargs"]) == ([1, "x"], {"k": 2})
    assert (answer["callbacks"], answer["chain"]) == ('[{"task": "next"}]', None)
    assert answer["eta"] == 1795478410.0


@pytest.mark.parametrize("body, fault", [
    ('{"task": "t", "id": "i"}', "good"), ('{"task": "t"}', "invalid"), ('{"id": "i"}', "unknown format"),
    ("[1, 2]", "unknown format"), ("null", "unknown format"), ("", "unknown format"), ("{", "undecodable"),
    ('{"task": "t", "id": "i", "kwargs": [1]}', "invalid"), ('{"task": "t", "id": "i", "kwargs": null}', "invalid"),
    ('{"task": "t", "id": "i", "args": null}', "unfit"), ('{"task": "t", "id": "i", "args": [NaN]}', "unfit"),
])
def test_bodies_of_protocol_1_are_disposed_of_by_what_is_wrong_with_them(body, fault):
    assert read_one(body, head={})["fault"] == fault


def test_content_of_protocol_1_that_is_not_json_does_not_decode():
    assert read_one("x", "application/x-python-serialize", {})["fault"] == "undecodable"
    assert read_one("x", None, {})["fault"] == "unknown format"


def test_headers_without_an_id_are_laid_over_a_body_of_protocol_1():
    answer = read_one('{"task": "ignored", "id": "from-body", "args": [1], "kwargs": {}}', head={"task": "t"})
    assert (answer["fault"], answer["id"], answer["task"], answer["args"]) == ("good", "from-body", "t", [1])


def random_time(numbers):
    """Mostly a time in one of the forms of ISO 8601, sometimes with something wrong in it."""
    digits = "".join(str(numbers.randrange(10)) for _ in range(9))
    date = numbers.choice(["2026", "2026-11", "2026-11-24", "20261124", "2024-02-29", "2026-02-29", "0001-01-01", "2026-328",
                           "2026328", "2024-366", "2026-366", "2026-W48", "2026W48", "2026-W48-2", "2026W482", "2026-W54",
                           "2020-W53-7", "9999-12-31", "0000-01-01", "202611", "2026-13-01", "1969-12-31"])
    separator = numbers.choice(["T", "T", "T", " " if "-" in date else "_", "t", ""])
    clock = numbers.choice(["00", "01:02", "0102", "01:02:03", "010203", "24:00", "24:00:00", "24:01", "25:00", "23:59:60",
                            "01:60", "01:02:", "1:2", "23:59:59", f"01:02:03.{digits[:numbers.randrange(10)]}",
                            f"010203,{digits[:numbers.randrange(1, 10)]}", "01:02.5"])
    zone = numbers.choice(["", "", "Z", "z", "+00:00", "+02:00", "-0530", "+14", "-23:59", "+24:00", "+01:60", "+1", "UTC",
                           "-00:00", "+02:00:00"])
    text = date if numbers.randrange(6) == 0 else date + separator + clock + zone
    if numbers.randrange(8) == 0:
        at = numbers.randrange(len(text) + 1)
        text = text[:at] + numbers.choice("0123456789:-+TZ.") + text[at + numbers.randrange(2):]
    return text


# dateutil takes more by the way it cuts its slices: one digit at the end for two, a digit between date and time, "+0 2".
WELL_FORMED = re.compile(r"(\d{4}-\d\d-\d\d|\d{8}|\d{4}-?\d{3}|\d{4}-W\d\d-\d|\d{4}W\d{3})"
                         r"(\D(\d\d|\d\d:\d\d|\d{4}|(\d\d:\d\d:\d\d|\d{6})([.,]\d+)?)(Z|z|[+-]\d\d|[+-]\d\d:?\d\d)?)?"
                         r"|\d{4}|\d{4}-\d\d|\d{4}-?W\d\d")


def python_time(text):
    """What Celery's worker makes of it, in seconds since 1970; None where it refuses."""
    try:
        return (maybe_make_aware(isoparse(text), timezone.utc) - datetime(1970, 1, 1, tzinfo=timezone.utc)).total_seconds()
    except (ValueError, OverflowError):
        return None


def test_times_are_read_as_celery_reads_them():
    numbers = random.Random(7)
    texts = [random_time(numbers) for _ in range(8000)]
    answers = read([{"content_type": "application/json", "headers": headers(eta=text), "body": "[[], {}, {}]"}
                    for text in texts])
    for text, answer in zip(texts, answers):
        expected = python_time(text)
        if expected is None:
            assert answer["fault"] == "invalid", (text, answer)
        elif WELL_FORMED.fullmatch(text) or answer["fault"] == "good":
            assert answer["fault"] == "good" and abs(answer["eta"] - expected) < 2e-6, (text, answer, expected)
