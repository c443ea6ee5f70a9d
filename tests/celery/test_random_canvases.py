"""Canvases of any shape end with the C worker as with the genuine one: every run, every state. `make canvases`
makes thousands of them."""

import pytest

from tests.conformance import canvases

SEEDS = 60


def task(kind):
    return {"kind": kind, "args": []}


def chain(*parts):
    return {"kind": "chain", "parts": list(parts)}


def group(*parts):
    return {"kind": "group", "parts": list(parts)}


def chord(parts, body):
    return {"kind": "chord", "parts": parts, "body": body}


JOIN, FAIL = task("join"), task("fail")
GROUP_INSIDE = chain(group(JOIN, JOIN))  # a group that stays one within a header

# What random canvases found, made small, and what is near it: whose failure a chord tells whose header has
# groups in it (celery/result.py join_native).
FOUND = [
    chord([FAIL, chain(group(JOIN, FAIL))], JOIN),
    chord([FAIL, FAIL, GROUP_INSIDE], JOIN),
    chord([JOIN, chain(group(JOIN, chain(group(JOIN, FAIL), JOIN)))], JOIN),
    chord([JOIN, chain(group(JOIN, chain(FAIL, JOIN, JOIN)))], JOIN),
    chord([chord([FAIL], JOIN), GROUP_INSIDE], JOIN),
    chord([chord([FAIL], group(JOIN, JOIN)), GROUP_INSIDE], JOIN),
    chord([chain(group(JOIN, FAIL)), chain(group(FAIL, JOIN))], group(JOIN, JOIN)),
    chord([FAIL, chain(group(JOIN, chord([FAIL, JOIN], group(JOIN, FAIL))))], group(JOIN, JOIN)),
    chord([JOIN, chain(group(JOIN, chain(group(JOIN, group(JOIN, JOIN)))))], group(JOIN, JOIN)),
    chord([{**JOIN, "ignored": True}, GROUP_INSIDE], JOIN),  # what is not stored counts as None
    chain(chord([JOIN], group(JOIN, JOIN)), chord([JOIN], JOIN)),  # more parts return than were counted
    # The tasks of a body that will not run are revoked (celery/backends/base.py _handle_group_chord_error).
    chord([FAIL], group(JOIN, chain(JOIN, JOIN))),
]


@pytest.fixture
def both(rabbitmq, redis_server, tmp_path):
    yield from canvases.two_apart(rabbitmq, redis_server, tmp_path)


def assert_alike(both, specs):
    found = both.differences(specs)
    assert not found, "\n\n".join(
        f"{canvases.shown(specs[number]) if number in specs else 'not known of which'}\n{text}"
        for number, text in found.items())


def test_random_canvases_end_as_with_the_genuine_worker(both):
    assert_alike(both, {seed: canvases.canvas_of(seed) for seed in range(SEEDS)})


def test_canvases_that_once_ended_otherwise_end_as_with_the_genuine_worker(both):
    assert_alike(both, dict(enumerate(FOUND)))
