"""Drives results-tool: requests as lines of JSON, answers as they come."""

import json
import os
import queue
import subprocess
import threading

from tests.harness.programs import environment, program, sanitizer_report

WAIT = 120  # seconds; a bound for what never ends, not a measure


class ResultsTool:
    """One process with the blocking and the asynchronous backend and a store on `url`."""

    def __init__(self, url, folder, name="results-tool", **changes):
        self.log = open(folder / f"{name}-{id(self)}.log", "w+b")
        self.process = subprocess.Popen([program("results-tool"), url], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.log, env=environment(**changes))
        self.answers, self.put_aside = queue.Queue(), []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.answers.put(json.loads(line))

    def send(self, do, **fields):
        """A request; its answer, if it has one, comes later."""
        self.process.stdin.write(json.dumps({"do": do, **fields}).encode() + b"\n")
        self.process.stdin.flush()

    def wait(self, having=None, **fields):
        """The next answer that has these fields, and the one named `having`; others are kept for later."""
        def fits(answer):
            return all(answer.get(name) == value for name, value in fields.items()) and \
                (having is None or having in answer)

        for answer in self.put_aside:
            if fits(answer):
                self.put_aside.remove(answer)
                return answer
        while True:
            try:
                answer = self.answers.get(timeout=WAIT)
            except queue.Empty:
                raise AssertionError(f"no answer with {having or fields}; got {self.put_aside}\n"
                                     f"{self.text()}") from None
            if fits(answer):
                return answer
            self.put_aside.append(answer)

    def call(self, do, **fields):
        """A request that is answered with `ok`."""
        self.send(do, **fields)
        return self.wait(having="ok")

    def text(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def finish(self, timeout=10):
        """Ends it in order; fails on a leak or any other report of a sanitizer."""
        if self.process.poll() is None:
            self.send("quit", timeout=timeout)
        code = self.process.wait(WAIT)
        assert not sanitizer_report(self.text()), sanitizer_report(self.text())
        assert code == 0, f"results-tool ended with {code}: {self.text()}"

    def kill(self):
        if self.process.poll() is None:
            os.kill(self.process.pid, 9)
            self.process.wait()
        self.log.close()
