"""Drives client-tool: a call, a line of JSON, an answer."""

import json
import os
import subprocess

from tests.harness.programs import environment, program, sanitizer_report

WAIT = 180  # seconds; a bound for what never ends, not a measure


class ClientTool:
    """A C program with one celery_client."""

    def __init__(self, folder, broker_url, backend_url=None, *options, **changes):
        settings = {"CELERY_BROKER_URL": broker_url, **changes}
        if backend_url is not None:
            settings["CELERY_RESULT_BACKEND"] = backend_url
        self.log = open(folder / f"client-tool-{id(self)}.log", "w+b")
        self.process = subprocess.Popen([program("client-tool"), *options], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.log, env=environment(**settings))

    def call(self, do, **fields):
        """The answer, whatever it is."""
        self.process.stdin.write(json.dumps({"do": do, **fields}).encode() + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"client-tool ended with {self.process.wait(WAIT)}: {self.text()}"
        return json.loads(line)

    def good(self, do, **fields):
        """The answer of a call that must succeed."""
        answer = self.call(do, **fields)
        assert answer["ok"], answer
        return answer

    def text(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def finish(self):
        """Ends it in order; fails on a leak or any other report of a sanitizer."""
        self.process.stdin.close()
        code = self.process.wait(WAIT)
        report = sanitizer_report(self.text())
        assert not report, report
        assert code == 0, f"client-tool ended with {code}: {self.text()}"

    def kill(self):
        if self.process.poll() is None:
            os.kill(self.process.pid, 9)
            self.process.wait()
        self.log.close()
