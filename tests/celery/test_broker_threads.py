"""celeryc's consumer and publisher against a real RabbitMQ: what they promise while all is well."""

import socket
import time

import amqp
import pytest

from dev.servers.process import wait_for


@pytest.fixture
def channel(rabbitmq, vhost):
    """A channel of Python's own AMQP library, the witness."""
    connection = amqp.Connection(f"127.0.0.1:{rabbitmq.port}", virtual_host=vhost)
    connection.connect()
    yield connection.channel()
    connection.close()


def drain(channel, queue):
    """All bodies that are in the queue now."""
    bodies = []
    while True:
        message = channel.basic_get(queue, no_ack=True)
        if message is None:
            return bodies
        bodies.append(message.body if isinstance(message.body, str) else message.body.decode())


def count(channel, queue):
    return channel.queue_declare(queue, passive=True).message_count


def fill(channel, queue, numbers, **arguments):
    channel.queue_declare(queue, durable=True, auto_delete=False, **arguments)
    for number in numbers:
        channel.basic_publish(amqp.Message(str(number), delivery_mode=2), routing_key=queue)


HEADERS = {"lang": "c", "retries": 0, "big": 2 ** 40, "negative": -5, "real": 0.25, "yes": True, "no": False,
           "nothing": None, "list": [1, "two", [3.5, None]], "table": {"deep": {"er": ["ä€𝄞"]}}, "text": "ä€𝄞",
           "empty": ""}


def test_python_reads_headers_and_properties_as_they_were_published(amqp_tool, broker_url, channel):
    one = amqp_tool(broker_url)
    channel.queue_declare("q", durable=True, auto_delete=False)
    one.publish(1, "q", headers=HEADERS, correlation_id="an id", priority=7)
    assert one.wait_outcomes([1]) == {"1": "confirmed"}
    message = channel.basic_get("q", no_ack=True)
    assert message.headers == HEADERS
    assert message.properties["correlation_id"] == "an id"
    assert message.properties["priority"] == 7 and message.properties["delivery_mode"] == 2


def test_the_consumer_reads_what_python_published(amqp_tool, broker_url, channel):
    channel.queue_declare("q", durable=True, auto_delete=False)
    channel.basic_publish(amqp.Message("body", application_headers=HEADERS, correlation_id="an id", priority=3),
                          routing_key="q")
    one = amqp_tool(broker_url)
    one.add("q")
    event = one.wait_event("delivery")
    assert event["headers"] == HEADERS and event["body"] == "body" and event["correlation_id"] == "an id"
    assert event["priority"] == 3 and event["exchange"] == "" and event["key"] == "q"


def test_bodies_of_many_frames_arrive_whole_both_ways(amqp_tool, broker_url, channel):
    one = amqp_tool(broker_url)
    one.add("q", exchange="")
    for size in (0, 1, 131064, 131065, 1_000_000, 9_000_000):
        one.send("publish", id=str(size), key="q", exchange="", size=size)
    sizes = [0, 1, 131064, 131065, 1_000_000, 9_000_000]
    assert set(one.wait_outcomes(sizes).values()) == {"confirmed"}
    one.wait_event("delivery", len(sizes))
    assert [event["size"] for event in one.events("delivery")] == sizes


def test_a_message_that_no_queue_takes_is_returned_and_the_others_are_confirmed(amqp_tool, broker_url, channel):
    channel.queue_declare("q", durable=True, auto_delete=False)
    one = amqp_tool(broker_url)
    for number in range(200):
        one.publish(number, "nowhere" if number % 10 == 3 else "q")
    outcomes = one.wait_outcomes(range(200))
    assert {n for n, outcome in outcomes.items() if outcome == "returned"} == {str(n) for n in range(3, 200, 10)}
    assert all(outcome == "confirmed" for n, outcome in outcomes.items() if int(n) % 10 != 3)
    assert "NO_ROUTE" in one.outcomes()["3"]["reason"]
    assert count(channel, "q") == 180


def test_an_exchange_that_does_not_exist_fails_only_the_messages_that_name_it(amqp_tool, broker_url, channel):
    channel.queue_declare("q", durable=True, auto_delete=False)
    one = amqp_tool(broker_url)
    for number in range(200):
        if number % 20 == 7:
            one.publish(number, "q", exchange="missing")
        else:
            one.publish(number, "q")
    outcomes = one.wait_outcomes(range(200))
    assert {n for n, outcome in outcomes.items() if outcome == "refused"} == {str(n) for n in range(7, 200, 20)}
    assert "missing" in one.outcomes()["7"]["reason"]
    assert sorted(drain(channel, "q"), key=int) == [str(n) for n in range(200) if n % 20 != 7]


def test_an_exchange_that_is_deleted_fails_only_the_messages_that_name_it(amqp_tool, broker_url, channel):
    channel.queue_declare("q", durable=True, auto_delete=False)
    channel.exchange_declare("doomed", "fanout", auto_delete=False)
    channel.queue_bind("q", "doomed")
    one = amqp_tool(broker_url)
    one.publish("before", "q", exchange="doomed")
    assert one.wait_outcomes(["before"]) == {"before": "confirmed"}
    channel.exchange_delete("doomed")
    for number in range(100):
        one.publish(number, "q", exchange="doomed" if number % 10 == 4 else "")
    outcomes = one.wait_outcomes(range(100))
    assert {n for n, outcome in outcomes.items() if outcome == "refused"} == {str(n) for n in range(4, 100, 10)}
    assert set(drain(channel, "q")) == {"before"} | {str(n) for n in range(100) if n % 10 != 4}


def test_a_message_that_makes_the_broker_close_the_channel_fails_alone(amqp_tool, broker_url, channel):
    channel.queue_declare("q", durable=True, auto_delete=False)
    one = amqp_tool(broker_url)
    bad = {"17", "18", "63"}
    for number in range(100):
        one.publish(number, "q", **({"expiration": "soon"} if str(number) in bad else {}))
    outcomes = one.wait_outcomes(range(100))
    assert {n for n, outcome in outcomes.items() if outcome != "confirmed"} == bad
    assert outcomes["17"] == "refused"
    assert set(drain(channel, "q")) == {str(n) for n in range(100)} - bad


def test_a_full_queue_refuses(amqp_tool, broker_url, channel):
    channel.queue_declare("q", durable=True, auto_delete=False,
                          arguments={"x-max-length": 3, "x-overflow": "reject-publish"})
    one = amqp_tool(broker_url)
    for number in range(10):
        one.publish(number, "q")
    outcomes = list(one.wait_outcomes(range(10)).values())
    assert outcomes.count("confirmed") >= 3 and "refused" in outcomes
    assert count(channel, "q") == outcomes.count("confirmed")


def test_waiting_for_an_outcome_tells_the_kinds_of_failure_apart(amqp_tool, broker_url, channel):
    channel.queue_declare("q", durable=True, auto_delete=False)
    one = amqp_tool(broker_url)
    for name, key, exchange in (("good", "q", ""), ("lost", "nowhere", ""), ("missing", "q", "missing")):
        one.send("publish-wait", id=name, key=key, exchange=exchange, body="x", timeout=100)
    one.wait(lambda lines: sum("done" in line for line in lines) == 3, "three outcomes")
    answers = {line["id"]: line for line in one.lines if "done" in line}
    assert answers["good"]["done"]
    assert answers["lost"]["code"] == "not-found" and answers["missing"]["code"] == "limit"


def test_what_cannot_be_sent_is_not_taken(amqp_tool, broker_url):
    one = amqp_tool(broker_url)
    deep = "x"
    for _ in range(50):
        deep = [deep]
    one.publish("long key", "k" * 256)
    one.publish("deep", "q", headers={"deep": deep})
    one.publish("wide", "q", headers={"wide": "x" * 140_000})
    outcomes = one.wait_outcomes(["long key", "deep", "wide"])
    assert set(outcomes.values()) == {"not-taken"}
    assert {one.outcomes()[name]["code"] for name in ("deep", "wide")} == {"limit"}


def test_a_publisher_declares_before_it_publishes(amqp_tool, broker_url, channel):
    one = amqp_tool(broker_url)
    one.send("declare", queue="declared", arguments={"x-max-priority": 10})
    one.publish(1, "declared", exchange="declared")
    assert one.wait_outcomes([1]) == {"1": "confirmed"}
    assert drain(channel, "declared") == ["1"]


def test_acknowledgements_in_any_order_settle_each_delivery_once(amqp_tool, broker_url, channel):
    fill(channel, "q", range(60))
    one = amqp_tool(broker_url, prefetch=60)
    one.add("q", exchange="")
    one.wait_event("delivery", 60)
    deliveries = one.events("delivery")
    epoch, tags = deliveries[0]["epoch"], [event["tag"] for event in deliveries]
    kept = {10, 11, 40}
    settled = [tag for place, tag in enumerate(tags) if place not in kept]
    one.send("ack", epoch=epoch, tags=settled[::-2])
    one.send("ack", epoch=epoch, tags=settled)        # half of them a second time
    one.send("ack", epoch=epoch + 1, tags=tags)       # of a channel that does not exist
    one.send("ack", epoch=epoch, tags=[999, 0])       # never delivered
    channel.basic_publish(amqp.Message("last"), routing_key="q")
    one.wait_event("delivery", 61)
    one.finish()
    assert sorted(drain(channel, "q"), key=str) == sorted([str(place) for place in kept] + ["last"], key=str)
    assert not one.events("lost")


def test_rejected_deliveries_are_dropped_or_come_again(amqp_tool, broker_url, channel):
    fill(channel, "q", ["keep", "drop"])
    one = amqp_tool(broker_url)
    one.add("q", exchange="")
    one.wait_event("delivery", 2)
    keep, drop = one.events("delivery", body="keep")[0], one.events("delivery", body="drop")[0]
    one.send("reject", epoch=drop["epoch"], tags=[drop["tag"]], requeue=False)
    one.send("reject", epoch=keep["epoch"], tags=[keep["tag"]], requeue=True)
    again = one.wait_event("delivery", 2, body="keep")
    assert again["redelivered"] and again["tag"] != keep["tag"]
    one.finish()
    assert drain(channel, "q") == ["keep"]


def test_the_prefetch_bounds_what_is_held_and_can_be_raised(amqp_tool, broker_url, channel, rabbitmq):
    fill(channel, "q", range(30))
    one = amqp_tool(broker_url, prefetch=5, **{"global": True})
    one.add("q", exchange="")
    one.wait_event("delivery", 5)
    wait_for(lambda: count(channel, "q") == 25, "25 messages left")
    time.sleep(0.5)
    assert len(one.events("delivery")) == 5
    if int(rabbitmq.api("GET", "overview")["rabbitmq_version"].split(".")[0]) < 4:
        one.send("prefetch", count=12)
        one.wait_event("delivery", 12)


def one_by_one(channel, name, numbers):
    """A queue whose consumers have a count each, on every version of the broker."""
    fill(channel, name, numbers, arguments={"x-queue-type": "quorum"})
    return {"exchange": "", "arguments": {"x-queue-type": "quorum"}}


def test_what_waits_keeps_a_consumer_with_a_count_of_its_own_from_nothing(amqp_tool, broker_url, channel):
    queue = one_by_one(channel, "q", range(9))
    one = amqp_tool(broker_url, prefetch=2)
    one.add("q", **queue)
    for held in (2, 4, 6, 8):
        one.wait_event("delivery", held)
        one.send("prefetch", count=2, waiting=held)
    deliveries = one.events("delivery")[:8] + [one.wait_event("delivery", 9)]
    assert [event["body"] for event in deliveries] == [str(number) for number in range(9)]
    epoch, tags = deliveries[0]["epoch"], [event["tag"] for event in deliveries]
    # what came under an old tag is settled as ever
    one.send("reject", epoch=epoch, tags=tags[1:2], requeue=True)
    assert one.wait_event("delivery", 2, body="1")["redelivered"]
    one.send("ack", epoch=epoch, tags=[*tags, one.events("delivery", body="1")[1]["tag"]])
    one.finish()
    assert drain(channel, "q") == [] and not one.events("lost")


def test_a_count_of_its_own_sinks_when_nothing_waits_any_more(amqp_tool, broker_url, channel, rabbitmq, vhost):
    queue = one_by_one(channel, "q", range(4))
    one = amqp_tool(broker_url, prefetch=4)
    one.add("q", **queue)
    one.wait_event("delivery", 4)
    one.send("prefetch", count=4, waiting=4)
    fill(channel, "q", range(4, 8), arguments={"x-queue-type": "quorum"})
    one.wait_event("delivery", 8)
    one.send("prefetch", count=1, waiting=0)
    one.send("ack", epoch=1, tags=[event["tag"] for event in one.events("delivery")])
    wait_for(lambda: [each["prefetch_count"] for each in rabbitmq.api("GET", f"consumers/{vhost}")] == [1],
             "one consumer, and its count is 1", timeout=120)
    fill(channel, "q", range(8, 12), arguments={"x-queue-type": "quorum"})
    one.wait_event("delivery", 9)
    time.sleep(0.5)
    assert len(one.events("delivery")) == 9


def test_the_count_of_a_consumer_that_runs_can_be_raised(amqp_tool, broker_url, channel):
    queue = one_by_one(channel, "q", range(12))
    one = amqp_tool(broker_url, prefetch=3)
    one.add("q", **queue)
    one.wait_event("delivery", 3)
    one.send("prefetch", count=9)
    one.wait_event("delivery", 12)


def test_a_cancelled_queue_gives_nothing_more_and_what_is_held_can_be_acknowledged(amqp_tool, broker_url, channel):
    fill(channel, "q", range(3))
    fill(channel, "other", [])
    one = amqp_tool(broker_url)
    one.add("q", exchange="")
    one.add("other", exchange="")
    one.wait_event("delivery", 3)
    one.send("cancel", queue="q")
    one.wait_event("cancelled", queue="q")
    wait_for(lambda: channel.queue_declare("q", passive=True).consumer_count == 0, "no consumer left")
    fill(channel, "q", ["later"])
    fill(channel, "other", ["elsewhere"])
    first = one.wait_event("delivery", body="elsewhere")
    one.send("ack", epoch=first["epoch"], tags=[event["tag"] for event in one.events("delivery")])
    one.finish()
    assert drain(channel, "q") == ["later"] and drain(channel, "other") == []
    assert not one.events("lost")


def test_deliveries_without_acknowledgement_need_none(amqp_tool, broker_url, channel):
    fill(channel, "q", range(20))
    one = amqp_tool(broker_url, prefetch=2)
    one.add("q", exchange="", no_ack=True)
    one.wait_event("delivery", 20)
    one.finish()
    assert count(channel, "q") == 0


def test_a_queue_that_was_deleted_is_declared_again_and_consumed(amqp_tool, broker_url, channel):
    one = amqp_tool(broker_url)
    one.add("q")
    fill(channel, "q", ["before"])
    one.wait_event("delivery", body="before")
    channel.queue_delete("q")
    one.wait_event("lost")
    one.wait_event("connected", 2)
    channel.basic_publish(amqp.Message("after"), exchange="q", routing_key="q")
    assert one.wait_event("delivery", body="after")["epoch"] > one.events("lost")[0]["epoch"]


def test_a_queue_declared_otherwise_is_reported_and_the_others_are_consumed(amqp_tool, broker_url, channel):
    channel.queue_declare("wrong", durable=False, auto_delete=False)
    fill(channel, "right", ["here"])
    one = amqp_tool(broker_url)
    one.send("add", queue="wrong", exchange="")
    refused = one.wait_event("refused", queue="wrong")
    assert "PRECONDITION_FAILED" in refused["reason"] and "406" in refused["reason"]
    one.add("right", exchange="")
    one.wait_event("delivery", body="here")
    channel.queue_delete("wrong")
    one.wait_event("ready", queue="wrong")
    assert not one.events("lost")


def test_a_queue_over_which_the_broker_closes_the_connection_is_given_up_and_the_others_are_consumed(
        amqp_tool, broker_url, channel):
    fill(channel, "right", ["here"])
    one = amqp_tool(broker_url)
    one.send("add", queue="wrong", exchange="strange", type="bogus")
    one.send("declare", queue="wrong too", exchange="strange", type="bogus")
    one.send("add", queue="right", exchange="")
    # RabbitMQ 3 closes the connection over it (503), RabbitMQ 4 the channel (406).
    assert "unknown exchange type 'bogus'" in one.wait_event("refused", queue="wrong")["reason"]
    one.wait_event("delivery", body="here")
    one.publish(1, "right")
    assert one.wait_outcomes([1]) == {"1": "confirmed"}
    one.wait_event("delivery", body="1")
    time.sleep(2)  # several times as long as the tool waits before it tries again
    assert len(one.events("lost")) <= 1  # not again and again


def test_names_too_long_for_the_wire_are_refused_here(amqp_tool, broker_url):
    one = amqp_tool(broker_url)
    one.send("add", queue="q" * 256)
    assert "255" in one.wait_event("refused")["reason"]
    one.add("q" * 255)


def test_quorum_queues_are_consumed_from_although_a_global_prefetch_was_asked_for(amqp_tool, broker_url, channel):
    channel.queue_declare("q", durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"})
    channel.basic_publish(amqp.Message("known"), routing_key="q")
    one = amqp_tool(broker_url, prefetch=5, **{"global": True})
    one.add("q", exchange="", arguments={"x-queue-type": "quorum"})
    one.wait_event("delivery", body="known")


def test_an_exclusive_queue_of_a_predecessor_is_taken_over_once_it_is_gone(amqp_tool, broker_url, rabbitmq, vhost):
    holder = amqp.Connection(f"127.0.0.1:{rabbitmq.port}", virtual_host=vhost)
    holder.connect()
    holder.channel().queue_declare("mine", exclusive=True, durable=False, auto_delete=True)
    one = amqp_tool(broker_url)
    one.send("add", queue="mine", exchange="", exclusive=True, transient=True, auto_delete=True)
    assert "RESOURCE_LOCKED" in one.wait_event("refused", queue="mine")["reason"]
    holder.close()
    one.wait_event("ready", queue="mine")


def test_a_body_over_the_limit_is_rejected_and_the_next_is_delivered(amqp_tool, broker_url, channel):
    channel.queue_declare("dead", durable=True, auto_delete=False)
    fill(channel, "q", ["x" * 300_000, "small"],
         arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"})
    one = amqp_tool(broker_url, limit=1000)
    one.add("q", exchange="", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"})
    one.wait_event("delivery", body="small")
    wait_for(lambda: count(channel, "dead") == 1, "the large message among the dead")
    assert not one.events("lost") and len(one.events("delivery")) == 1


@pytest.mark.parametrize("depth", [40, 150], ids=["deeper than allowed", "deeper than the library can read"])
def test_headers_nested_too_deep_are_rejected_once_and_consuming_goes_on(amqp_tool, broker_url, channel, depth):
    arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    channel.queue_declare("dead", durable=True, auto_delete=False)
    channel.queue_declare("q", durable=True, auto_delete=False, arguments=arguments)
    deep = {}
    for _ in range(depth):
        deep = {"a": deep}
    channel.basic_publish(amqp.Message("deep", application_headers=deep), routing_key="q")
    channel.basic_publish(amqp.Message("next"), routing_key="q")
    one = amqp_tool(broker_url)
    one.send("add", queue="q", exchange="", arguments=arguments)
    one.wait_event("delivery", body="next")
    wait_for(lambda: count(channel, "dead") == 1, "the deep message among the dead")
    assert not one.events("delivery", body="deep")


def test_the_next_broker_of_the_list_is_tried(amqp_tool, broker_url, channel):
    fill(channel, "q", ["here"])
    one = amqp_tool(f"amqp://guest:guest@127.0.0.1:1/x;{broker_url}")
    one.add("q", exchange="")
    one.wait_event("delivery", body="here")
    one.publish(1, "q")
    one.wait_outcomes([1])


def test_the_connection_describes_itself_as_kombu_does_and_without_the_password(amqp_tool, broker_url, rabbitmq, vhost):
    one = amqp_tool(broker_url, heartbeat=60)
    one.add("q")
    described = one.ask("describe", "describe")["describe"]
    assert described["hostname"] == "127.0.0.1" and described["port"] == rabbitmq.port
    assert described["virtual_host"] == vhost and described["userid"] == "guest" and described["connected"]
    assert described["heartbeat"] == 60 and described["transport"] == "amqp" and described["server_version"]
    assert {"insist", "ssl", "connect_timeout", "transport_options", "login_method", "uri_prefix",
            "failover_strategy", "alternates"} <= described.keys()


def test_the_broker_knows_the_connections_by_name_and_what_they_can(amqp_tool, broker_url, rabbitmq, vhost):
    one = amqp_tool(broker_url)
    one.add("q")

    def properties():
        found = [each["client_properties"] for each in rabbitmq.api("GET", "connections") if each["vhost"] == vhost]
        return found if len(found) == 2 else None

    for each in wait_for(properties, "two connections", timeout=120):
        assert each["connection_name"].startswith("amqp-tool: ") and each["product"] == "celeryc"
        assert each["capabilities"]["consumer_cancel_notify"] and each["capabilities"]["connection.blocked"]


def test_a_wrong_password_is_named_and_not_shown(amqp_tool, rabbitmq):
    one = amqp_tool(f"amqp://guest:secret-word@127.0.0.1:{rabbitmq.port}/")

    def refused():
        state = one.ask("state", "up")
        return state if "ACCESS_REFUSED" in state["reason"] else None

    state = wait_for(refused, "the broker's refusal", timeout=120)
    assert not state["up"] and "secret-word" not in state["reason"] and "secret-word" not in one.text()


def test_without_confirms_the_oldest_messages_are_dropped_and_counted(amqp_tool, channel):
    one = amqp_tool("amqp://guest:guest@127.0.0.1:1/", confirm=False, capacity=10)
    for number in range(25):
        one.publish(number, "q")
    one.wait_outcomes(range(15))
    assert one.ask("state", "up")["dropped"] == 15


def test_a_full_publisher_with_confirms_takes_nothing_more(amqp_tool):
    one = amqp_tool("amqp://guest:guest@127.0.0.1:1/", capacity=10)
    for number in range(12):
        one.publish(number, "q")
    assert one.wait_outcomes([10, 11]) == {"10": "not-taken", "11": "not-taken"}
    assert one.outcomes()["10"]["code"] == "limit"
    one.finish(timeout=0.2)


@pytest.mark.parametrize("scheme", ["amqp", "amqps"])
def test_a_broker_that_cannot_be_reached_is_named_with_the_system_s_reason(amqp_tool, scheme):
    one = amqp_tool(f"{scheme}://guest:guest@127.0.0.1:1/")
    wait_for(lambda: "127.0.0.1:1" in one.text() and "Connection refused" in one.text(), "the reason",
             timeout=120)


def test_what_is_not_published_in_time_expires_with_the_reason(amqp_tool):
    one = amqp_tool("amqp://guest:guest@127.0.0.1:1/")
    one.publish(1, "q", timeout=0.3)
    assert one.wait_outcomes([1]) == {"1": "expired"}
    one.send("publish-wait", id="2", key="q", exchange="", body="x", timeout=0.3)
    answer = one.wait(lambda lines: [line for line in lines if "done" in line], "the answer")[0]
    assert answer["code"] == "unavailable" and "connecting" in answer["reason"]


def test_a_publisher_that_is_stopped_says_so_for_what_it_holds(amqp_tool):
    one = amqp_tool("amqp://guest:guest@127.0.0.1:1/")
    one.publish(1, "q")
    one.finish(timeout=0.2)
    assert one.wait_outcomes([1]) == {"1": "stopped"}


@pytest.mark.parametrize("scheme", ["amqp", "amqps"])
def test_stopping_while_a_connection_is_opened_to_somebody_who_says_nothing(amqp_tool, scheme):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        one = amqp_tool(f"{scheme}://guest:guest@127.0.0.1:{silent.getsockname()[1]}/", connect_timeout=100)
        one.publish(1, "q")
        silent.accept()
        one.finish(timeout=0.2)
        assert one.wait_outcomes([1]) == {"1": "stopped"}
