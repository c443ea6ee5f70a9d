"""What the tests of the C worker share: a monitor that collects events, raw messages, what lies in the
queues."""

import pathlib
import threading

import celery.events
from kombu import Connection, Producer

from dev.servers.process import wait_for


class Monitor:
    """Collects every event on the broker, in the order in which they come, from the moment it is made."""

    READY = 60  # seconds, at most, until it hears

    def __init__(self, app):
        self.app, self.events, self.stopped = app, [], threading.Event()
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        assert self.ready.wait(self.READY)

    def on_event(self, event):
        self.events.append(event)

    def _run(self):
        with self.app.connection_for_read() as connection:
            receiver = celery.events.EventReceiver(connection, handlers={"*": self.on_event}, app=self.app)
            with receiver.consumer_context() as (consuming, _, _):  # a clone of the connection
                self.ready.set()
                while not self.stopped.is_set():
                    try:
                        consuming.drain_events(timeout=0.2)
                    except TimeoutError:
                        pass

    def of(self, uuid):
        """The types of a task's events, in the order in which they were sent (by clock)."""
        mine = [event for event in list(self.events) if event.get("uuid") == uuid]
        return [event["type"] for event in sorted(mine, key=lambda event: event["clock"])]

    def wait(self, kind, uuid=None, hostname=None, timeout=120):
        """The first event of this type (of this task, of this node)."""
        def look():
            for event in list(self.events):
                if event["type"] == kind and uuid in (None, event.get("uuid")) and \
                        hostname in (None, event.get("hostname")):
                    return event
            return None
        return wait_for(look, f"event {kind} of {uuid or hostname}", timeout)

    def finish(self):
        self.stopped.set()
        self.thread.join(60)


def lines(path):
    """Of a file that tasks write; none before the first has begun."""
    path = pathlib.Path(path)
    return path.read_text().splitlines() if path.exists() else []


def publish(broker_url, body, queue="celery", **properties):
    """One raw message, confirmed, through the default exchange."""
    with Connection(broker_url, transport_options={"confirm_publish": True}) as connection:
        with connection.channel() as channel:
            Producer(channel).publish(body, exchange="", routing_key=queue, **properties)


def depth(rabbitmq, vhost, queue="celery"):
    """Messages in a queue, ready and unacknowledged; -1 while the broker has not counted yet, 0 when there
    is no queue."""
    found = rabbitmq.queue(queue, vhost)
    return found.get("messages", -1) if found else 0


def wait_until_empty(rabbitmq, vhost, queue="celery", timeout=120):
    wait_for(lambda: depth(rabbitmq, vhost, queue) == 0, f"queue {queue} is empty, all acknowledged", timeout)
