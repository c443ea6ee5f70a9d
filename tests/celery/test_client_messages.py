"""What a C client puts on the queue is what a Python client puts there."""

import json
import time
from datetime import datetime

import pytest
from kombu import Connection, Exchange, Queue

from dev.servers import wait_for
from tests.celery.client_tool import ClientTool


def taken(broker_url, queue="celery", count=1):
    """The messages of a queue as they came over the wire: properties, headers, body."""
    found = []
    with Connection(broker_url) as connection:
        channel = connection.default_channel
        wait_for(lambda: channel.queue_declare(queue, passive=True).message_count >= count, f"{count} in {queue}", 60)
        for _ in range(count):
            message = channel.basic_get(queue, no_ack=True)
            body = message.body.encode() if isinstance(message.body, str) else bytes(message.body)
            found.append((message.properties, message.headers, body, message.delivery_info))
    return found


CASES = {
    "arguments": {"args": [1, "zwei", 3.5, None, True, {"k": [1, 2]}]},
    "keywords": {"kwargs": {"x": 1, "y": "ü"}},
    "nothing": {},
    "priority": {"args": [1], "priority": 5},
    "time limits": {"args": [1], "time_limit": 10, "soft_time_limit": 2.5},
    "no result": {"args": [1], "ignore_result": True},
    "headers": {"args": [1], "headers": {"tenant": "blue", "n": 7}},
    "family": {"args": [1], "root_id": "the-root", "parent_id": "the-parent"},
    "queue": {"args": [1], "queue": "other"},
    "text": {"args": ["it's \"quoted\" \\ \n \u2028 \U0001f600", ""]},
    "numbers": {"args": [0.1, 1e-7, 1e22, 123456789.125, -0.0, 2 ** 63 - 1, -2 ** 63]},
    "long": {"args": ["word " * 400, list(range(300))]},
}


@pytest.mark.parametrize("case", CASES)
def test_a_message_is_the_one_that_a_python_client_sends(case, client, app, broker_url):
    options = CASES[case]
    queue = options.get("queue", "celery")
    client.good("send", task="demo.echo", id="the-id", **options)
    python = dict(options)
    app.send_task("demo.echo", tuple(python.pop("args", ())), python.pop("kwargs", {}), task_id="the-id", **python)
    (ours, our_headers, our_body, our_info), (theirs, their_headers, their_body, their_info) = taken(
        broker_url, queue, 2)
    assert our_body == their_body
    assert our_headers.pop("origin").startswith("gen") and their_headers.pop("origin").startswith("gen")
    assert our_headers == their_headers
    assert [type(value) for value in our_headers.values()] == [type(value) for value in their_headers.values()]
    assert len(ours.pop("reply_to")) == len(theirs.pop("reply_to"))
    ours.pop("application_headers"), theirs.pop("application_headers")
    assert ours == theirs
    assert (our_info["exchange"], our_info["routing_key"]) == (their_info["exchange"], their_info["routing_key"])


def test_countdown_and_expiry_are_times_and_a_life_on_the_queue(client, broker_url):
    before = time.time()
    client.good("send", task="demo.echo", countdown=90, expires=3600)
    after = time.time()
    [(properties, headers, _, _)] = taken(broker_url)
    assert before + 90 - 0.001 <= datetime.fromisoformat(headers["eta"]).timestamp() <= after + 90 + 0.001
    assert before + 3600 - 0.001 <= datetime.fromisoformat(headers["expires"]).timestamp() <= after + 3600 + 0.001
    assert properties["expiration"] in ("3600000", "3599999")


def test_absolute_times_are_taken_as_they_are(client, broker_url):
    client.good("send", task="demo.echo", eta=4102444800.25, expires=4102444900)
    [(properties, headers, _, _)] = taken(broker_url)
    assert headers["eta"] == "2100-01-01T00:00:00.250000+00:00"
    assert headers["expires"] == "2100-01-01T00:01:40+00:00"
    assert "expiration" not in properties  # more than RabbitMQ takes


def test_an_id_is_made_where_none_is_given(client, broker_url):
    made = client.good("send", task="demo.echo")["id"]
    [(properties, headers, _, _)] = taken(broker_url)
    assert made == headers["id"] == headers["root_id"] == properties["correlation_id"]


def test_what_no_queue_takes_is_an_error(client):
    answer = client.call("send", task="demo.echo", exchange="amq.direct", routing_key="nobody-listens-here")
    assert answer["ok"] is False
    assert answer["code"] == "not-found"


def test_a_named_exchange_gets_the_message(client, broker_url):
    with Connection(broker_url) as connection:
        Queue("bound", exchange=Exchange("amq.topic", type="topic", durable=True),
              routing_key="jobs.#", durable=True)(connection.default_channel).declare()
    client.good("send", task="demo.echo", exchange="amq.topic", routing_key="jobs.new")
    [(_, _, _, info)] = taken(broker_url, "bound")
    assert (info["exchange"], info["routing_key"]) == ("amq.topic", "jobs.new")


def test_a_queue_that_was_declared_otherwise_is_used_as_it_is(tmp_path, broker_url):
    with Connection(broker_url) as connection:
        Queue("celery", durable=True, max_priority=10)(connection.default_channel).declare()
    tool = ClientTool(tmp_path, broker_url)
    tool.good("send", task="demo.echo", id="the-id", priority=9)
    [(_, headers, _, _)] = taken(broker_url)
    assert headers["id"] == "the-id"
    tool.finish()


@pytest.mark.parametrize("bad", [{"task": ""}, {"task": "t", "args": {"no": "array"}},
                                 {"task": "t", "kwargs": ["no object"]}, {"task": "t", "priority": 300},
                                 {"task": "t", "headers": ["no object"]}])
def test_bad_arguments_are_refused_and_nothing_is_sent(bad, client, broker_url):
    answer = client.call("send", **bad)
    assert (answer["ok"], answer["code"]) == (False, "invalid")
    client.good("send", task="good")
    assert [headers["task"] for _, headers, _, _ in taken(broker_url)] == ["good"]


def test_many_threads_send_through_one_connection(client, broker_url):
    ids = client.good("flood", task="demo.echo", args=[1], threads=16, count=50)["ids"]
    assert len(set(ids)) == 800
    assert {headers["id"] for _, headers, _, _ in taken(broker_url, count=800)} == set(ids)


def test_a_sent_event_says_what_a_python_clients_says(tmp_path, app, broker_url, redis_url):
    app.conf.task_send_sent_event = True
    with Connection(broker_url) as connection:
        events = Queue("events", exchange=Exchange("celeryev", type="topic", durable=True),
                       routing_key="#", durable=True)
        events(connection.default_channel).declare()
    tool = ClientTool(tmp_path, broker_url, redis_url, "--events")
    tool.good("send", task="demo.echo", id="the-id", args=[1, "x"], kwargs={"k": 2})
    [(ours, our_headers, our_body, our_info)] = taken(broker_url, "events")
    app.send_task("demo.echo", (1, "x"), {"k": 2}, task_id="the-id")
    [(theirs, their_headers, their_body, their_info)] = taken(broker_url, "events")
    tool.finish()
    own, genuine = json.loads(our_body), json.loads(their_body)
    assert list(own) == list(genuine)
    for name in ("hostname", "pid", "clock", "timestamp"):
        assert type(own.pop(name)) is type(genuine.pop(name))
    assert own == genuine
    assert our_headers.keys() == their_headers.keys()
    ours.pop("application_headers"), theirs.pop("application_headers")
    assert ours == theirs
    assert our_info["routing_key"] == their_info["routing_key"]
