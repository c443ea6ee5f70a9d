"""Flower on a test's own broker: its HTTP API as a program uses it. Its pages: tests/flower."""

import json
import sys
import urllib.parse
import urllib.request

from dev.servers import Process, free_port, wait_for
from tests.harness.programs import ROOT, environment

WAIT = 120  # seconds; a bound for what never ends, not a measure


class Flower:
    """Ready when it answers. `application`: options of Celery, as "-A", "module"; `options`: Flower's own."""

    def __init__(self, folder, broker_url, backend_url, *application, options=()):
        self.port = free_port()
        self.process = Process(
            [sys.executable, "-m", "celery", *application, "-b", broker_url, "--result-backend", backend_url,
             "flower", "--address=127.0.0.1", f"--port={self.port}", "--inspect_timeout=10000", *options],
            folder / "flower.log", cwd=str(ROOT),
            env=environment(FLOWER_UNAUTHENTICATED_API="true", HOME=str(folder),
                            PYTHONPATH=str(ROOT))).start()
        wait_for(lambda: self.get("/api/workers") is not None, "Flower answers", WAIT)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def request(self, path, data=None):
        request = urllib.request.Request(f"{self.url}{path}", data=data,
                                         method="POST" if data is not None else "GET")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read().decode()

    def get(self, path):
        """What the path gives; None while there is nothing yet."""
        try:
            return json.loads(self.request(path))
        except (OSError, ValueError):
            return None

    def post(self, path, **fields):
        return json.loads(self.request(path, urllib.parse.urlencode(fields).encode()))

    def press(self, path, **fields):
        """A button whose answer Flower waits a second for: pressed until there is one."""
        def try_it():
            try:
                return self.post(path, **fields) or True
            except (OSError, ValueError):
                return None
        return wait_for(try_it, f"Flower's {path}\n{self.process.log_tail()}", WAIT)

    def worker(self, node, wanted=lambda worker: True):
        """What Flower knows of the worker, asked anew until it is as wanted."""
        def look():
            found = (self.get(f"/api/workers?refresh=1&workername={node}") or {}).get(node)
            return found if found and found.get("stats") and wanted(found) else None
        return wait_for(look, f"Flower sees {node} as wanted\n{self.process.log_tail()}", WAIT)
