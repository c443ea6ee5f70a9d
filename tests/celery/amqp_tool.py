"""Drives amqp-tool: a consumer and a publisher of celeryc/amqp in one process, requests and events as lines of JSON."""

import json
import subprocess
import threading
import time

from tests.harness.programs import environment, program, sanitizer_report

WAIT = 120  # seconds; a bound for what never ends, not a measure


class AmqpTool:
    """One process. `lines` is everything it has said so far, in order."""

    def __init__(self, urls, folder, **settings):
        self.log = open(folder / f"amqp-tool-{id(self)}.log", "w+b")
        self.process = subprocess.Popen([program("amqp-tool"), "drive", urls, json.dumps(settings)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
                                        env=environment())
        self.lines, self.changed = [], threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(json.loads(line))
                self.changed.notify_all()

    def send(self, do, **fields):
        self.process.stdin.write(json.dumps({"do": do, **fields}).encode() + b"\n")
        self.process.stdin.flush()

    def wait(self, condition, what):
        """Until condition(lines) is true; its value."""
        deadline = time.monotonic() + WAIT
        with self.changed:
            while True:
                value = condition(self.lines)
                if value:
                    return value
                left = deadline - time.monotonic()
                if left <= 0 or not self.changed.wait(left):
                    raise AssertionError(f"{what}: not within {WAIT} s; said: {self.lines[-20:]}; log: {self.text()}")

    # ---- events ----

    def events(self, kind, **fields):
        return [line for line in list(self.lines)
                if line.get("event") == kind and all(line.get(name) == value for name, value in fields.items())]

    def wait_event(self, kind, count=1, **fields):
        """The count-th event of this kind with these fields."""
        return self.wait(lambda _: len(self.events(kind, **fields)) >= count and self.events(kind, **fields),
                         f"{count} x {kind} {fields}")[count - 1]

    def bodies(self):
        return [event["body"] for event in self.events("delivery")]

    def add(self, queue, **fields):
        """Consumes from the queue, and waits until it does."""
        before = len(self.events("ready", queue=queue))
        self.send("add", queue=queue, **fields)
        return self.wait_event("ready", before + 1, queue=queue)

    # ---- outcomes ----

    def publish(self, number, key, exchange="", **fields):
        self.send("publish", id=str(number), key=key, exchange=exchange, **{"body": str(number), **fields})

    def outcomes(self):
        return {line["id"]: line for line in list(self.lines) if "outcome" in line}

    def wait_outcomes(self, ids):
        """{id: outcome} once each of these ids has one."""
        ids = {str(one) for one in ids}
        self.wait(lambda _: ids <= self.outcomes().keys(), f"outcomes of {len(ids)} messages")
        outcomes = self.outcomes()
        return {one: outcomes[one]["outcome"] for one in ids}

    def ask(self, do, answer):
        """The next answer to a request that has one."""
        before = sum(answer in line for line in list(self.lines))
        self.send(do)
        return self.wait(lambda lines: [line for line in lines if answer in line][before:], answer)[0]

    # ---- the end ----

    def text(self):
        self.log.flush()
        with open(self.log.name, encoding="utf-8", errors="replace") as log:
            return log.read()

    def finish(self, timeout=20):
        """Ends it in order; fails on a leak or any other report of a sanitizer."""
        if self.process.poll() is None:
            self.send("quit", timeout=timeout)
        try:
            code = self.process.wait(WAIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"amqp-tool did not end: {self.text()}") from None
        assert not sanitizer_report(self.text()), sanitizer_report(self.text())
        assert code == 0, f"amqp-tool ended with {code}: {self.text()}"

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()
