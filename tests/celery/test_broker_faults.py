"""celeryc's consumer and publisher while the broker restarts, hangs, times out and raises alarms: nothing that was
confirmed is lost, nothing is settled twice, and everything goes on by itself."""

import os
import pathlib
import signal
import threading

import amqp
import pytest

from dev.servers import RabbitMQ
from dev.servers.process import wait_for
from tests.celery.cuttable import Cuttable
from tests.celery.test_broker_threads import count, drain, fill
from tests.harness.certificates import certificate


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """A broker that the tests of this file may stop."""
    server = RabbitMQ(tmp_path_factory.mktemp("faults")).start()
    yield server
    server.kill()


def rabbitmqctl(server, *words):
    server.control(*words)


def open_channel(server, vhost="/"):
    connection = amqp.Connection(f"127.0.0.1:{server.port}", virtual_host=vhost)
    connection.connect()
    return connection.channel()


def queue_name(request):
    """A queue of the test's own."""
    return f"{request.node.name}-{os.getpid()}"


def states(group):
    """The kernel's letters for the states of all threads of a process group."""
    found = set()
    for stat in pathlib.Path("/proc").glob("[0-9]*/task/[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # gone in the meantime
            continue
        if int(fields[2]) == group:
            found.add(fields[0])
    return found


def pause(server):
    """Stops the whole node as a hung machine would be."""
    os.killpg(server.process.pid, signal.SIGSTOP)
    wait_for(lambda: states(server.process.pid) <= {"T", "Z"}, "the node to stand still")


def go_on(server):
    os.killpg(server.process.pid, signal.SIGCONT)


def test_what_was_confirmed_is_in_the_queue_after_restarts_under_load(node, amqp_tool, request):
    queue = queue_name(request)
    one = amqp_tool(node.url)
    one.send("declare", queue=queue, exchange="")
    published, stop = [], threading.Event()

    def load():
        number = 0
        while not stop.is_set() and number < 200_000:
            if number - len(one.lines) < 500:  # so many without an outcome
                one.publish(number, queue)
                published.append(number)
                number += 1
            else:
                stop.wait(0.005)

    publisher = threading.Thread(target=load)
    publisher.start()
    try:
        for _ in range(2):
            before = len(one.lines)
            one.wait(lambda lines, least=before + 500: len(lines) > least, "confirms")
            node.restart()
        before = len(one.lines)
        one.wait(lambda lines: len(lines) > before + 500, "confirms after the last restart")
    finally:
        stop.set()
        publisher.join()
    outcomes = one.wait_outcomes(published)
    assert set(outcomes.values()) == {"confirmed"}
    found = drain(open_channel(node), queue)
    assert set(map(str, published)) <= set(found)


def test_connections_that_are_cut_again_and_again_lose_no_message_and_settle_none_twice(rabbitmq, vhost, amqp_tool):
    way = Cuttable(rabbitmq.port)
    total = 4000
    one = amqp_tool(f"amqp://guest:guest@127.0.0.1:{way.port}/{vhost}", prefetch=50, retry=0.01)
    one.send("auto")
    one.add("q", exchange="")
    cuts = 0
    for number in range(total):
        one.publish(number, "q")
        if number % 100 == 99:
            cuts += 1
            one.wait_event("connected", cuts)
            way.cut()
    assert set(one.wait_outcomes(range(total)).values()) == {"confirmed"}
    one.wait(lambda _: len(set(one.bodies())) == total, "every message")
    one.wait_event("lost", cuts)
    assert not any("PRECONDITION_FAILED" in event["reason"] for event in one.events("lost"))
    witness = open_channel(rabbitmq, vhost)
    wait_for(lambda: count(witness, "q") == 0, "an empty queue")
    one.finish()
    assert drain(witness, "q") == []
    way.close()


def test_consuming_goes_on_after_restarts_and_nothing_that_was_acknowledged_comes_again(node, amqp_tool, request):
    queue = queue_name(request)
    fill(open_channel(node), queue, range(100))
    one = amqp_tool(node.url, prefetch=10)
    one.add(queue, exchange="")
    for _ in range(2):
        one.wait(lambda _: one.events("delivery", epoch=newest(one)), "deliveries")
        first = one.events("delivery", epoch=newest(one))[0]
        one.send("ack", epoch=first["epoch"], tags=[first["tag"]])
        wait_for(lambda: len(one.events("delivery", epoch=first["epoch"])) == 11, "a delivery for the settled one")
        lost = len(one.events("lost"))
        node.restart()
        one.wait_event("lost", lost + 1)
        one.wait(lambda _: newest(one) > first["epoch"], "the next epoch")
        one.send("ack", epoch=first["epoch"], tags=[first["tag"], first["tag"] + 1])  # too late: nothing happens
    acknowledged = [one.events("delivery", epoch=epoch)[0]["body"]
                    for epoch in sorted({event["epoch"] for event in one.events("delivery")})[:2]]
    wait_for(lambda: len(one.events("delivery", epoch=newest(one))) == 10, "as many deliveries as may be held")
    held = one.events("delivery", epoch=newest(one))
    assert not {event["body"] for event in held} & set(acknowledged)
    one.send("auto")
    one.send("ack", epoch=newest(one), tags=[event["tag"] for event in held])
    one.wait(lambda _: len(set(one.bodies())) == 100, "all 100 messages")
    one.finish()
    assert drain(open_channel(node), queue) == []


def newest(one):
    """The latest epoch in which everything is consumed from."""
    return max((event["epoch"] for event in one.events("connected")), default=0)


def test_a_broker_that_hangs_delays_everything_and_breaks_nothing(node, amqp_tool, request):
    queue = queue_name(request)
    one = amqp_tool(node.url, heartbeat=0)
    one.add(queue, exchange="")
    one.publish("before", queue)
    one.wait_event("delivery", body="before")
    one.wait_outcomes(["before"])
    pause(node)
    try:
        for number in range(3000):
            one.publish(number, queue)
        one.publish("in time", queue, timeout=1)
        assert one.wait_outcomes(["in time"]) == {"in time": "expired"}
        first = one.events("delivery")[0]
        one.send("ack", epoch=first["epoch"], tags=[first["tag"]])
    finally:
        go_on(node)
    assert set(one.wait_outcomes(range(3000)).values()) == {"confirmed"}
    assert not one.events("lost")


def test_a_peer_that_is_silent_for_two_heartbeats_is_left_and_found_again(node, amqp_tool, request):
    queue = queue_name(request)
    one = amqp_tool(node.url, heartbeat=1)
    one.add(queue, exchange="")
    pause(node)
    try:
        one.wait_event("lost")
    finally:
        go_on(node)
    one.wait_event("connected", 2)
    one.publish(1, queue)
    one.wait_event("delivery", body="1")


def test_stopping_beside_a_broker_that_hangs_takes_no_longer_than_allowed(node, amqp_tool, request):
    one = amqp_tool(node.url)
    one.add(queue_name(request), exchange="")
    one.publish(1, "nowhere")
    one.wait_outcomes([1])
    pause(node)
    try:
        one.publish(2, "nowhere")
        one.finish(timeout=0.5)
        assert one.wait_outcomes([2]) == {"2": "stopped"}
    finally:
        go_on(node)


def test_a_delivery_held_too_long_costs_one_channel_and_comes_again(own_rabbitmq, amqp_tool, request):
    queue = queue_name(request)
    node = own_rabbitmq(consumer_timeout=4000)
    rabbitmqctl(node, "eval", "application:set_env(rabbit, channel_tick_interval, 1000).")  # looked at once a minute else
    fill(open_channel(node), queue, ["slow"])
    one = amqp_tool(node.url)
    one.add(queue, exchange="")
    first = one.wait_event("delivery", body="slow")
    lost = one.wait_event("lost", epoch=first["epoch"])
    assert "PRECONDITION_FAILED" in lost["reason"] and "406" in lost["reason"]
    again = one.wait_event("delivery", 2, body="slow")
    assert again["redelivered"] and again["epoch"] > first["epoch"]
    one.send("ack", epoch=first["epoch"], tags=[first["tag"]])
    one.send("ack", epoch=again["epoch"], tags=[again["tag"]])
    one.finish()
    assert drain(open_channel(node), queue) == []


def test_an_alarm_of_the_broker_holds_messages_back_until_it_is_over(own_rabbitmq, amqp_tool, request):
    queue = queue_name(request)
    node = own_rabbitmq()
    rabbitmqctl(node, "set_disk_free_limit", "4000000GB")
    wait_for(lambda: node.api("GET", "nodes")[0]["disk_free_alarm"], "the alarm")
    one = amqp_tool(node.url)
    one.add(queue, exchange="")
    one.publish("first", queue)  # whether the broker still takes it depends on its version
    wait_for(lambda: "takes no messages at present" in one.text(), "the broker's word that it is blocked")
    one.publish("late", queue, timeout=2)
    assert one.wait_outcomes(["late"]) == {"late": "expired"}
    one.publish("patient", queue)
    rabbitmqctl(node, "set_disk_free_limit", "50MB")
    assert one.wait_outcomes(["first", "patient"]) == {"first": "confirmed", "patient": "confirmed"}
    one.wait_event("delivery", body="patient")


def test_tls_is_spoken_with_a_broker_whose_ca_is_known_and_refused_otherwise(own_rabbitmq, amqp_tool, request, tmp_path):
    from dev.servers.ports import free_port
    queue, port, keys = queue_name(request), free_port(), certificate(tmp_path / "keys")
    own_rabbitmq(config=f"listeners.ssl.1 = 127.0.0.1:{port}\nssl_options.cacertfile = {keys}/ca.pem\n"
                        f"ssl_options.certfile = {keys}/server.pem\nssl_options.keyfile = {keys}/server.key\n")
    one = amqp_tool(f"amqps://guest:guest@localhost:{port}/", ca_file=f"{keys}/ca.pem")
    one.add(queue, exchange="")
    for number in range(500):
        one.publish(number, queue, headers={"padding": "x" * 500})
    assert set(one.wait_outcomes(range(500)).values()) == {"confirmed"}
    one.send("auto")
    one.wait_event("delivery", 1)
    stranger = amqp_tool(f"amqps://guest:guest@localhost:{port}/")

    def refused():
        return "SSL" in stranger.ask("state", "up")["reason"]

    wait_for(refused, "the certificate's refusal", timeout=120)
    stranger.finish(timeout=0.2)
