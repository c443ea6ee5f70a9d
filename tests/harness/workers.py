"""Workers: the C programs and the genuine one, ready when they answer a ping."""

import itertools
import os
import sys

from celery import Celery

from dev.servers import Process, wait_for
from tests.harness.programs import ROOT, Program, environment, program

_numbers = itertools.count(1)


def celery_app(broker_url, backend_url, **settings):
    """A Python client on this broker and these results, as a user would configure it."""
    app = Celery("client", broker=broker_url, backend=backend_url, set_as_current=False)
    app.conf.update(broker_connection_retry_on_startup=True, broker_transport_options={"confirm_publish": True},
                    result_expires=3600, **settings)
    return app


def wait_for_worker(app, node, process=None, timeout=120):
    """Until the node answers a ping; says why when its process ended before."""
    def answers():
        if process is not None and not process.is_running():
            raise SystemExit(f"{node} ended with {process.popen.poll()}:\n{process.log_tail()}")
        return app.control.ping(destination=[node], timeout=2.0, limit=1)

    wait_for(answers, f"worker {node} answers a ping", timeout)


class CWorker:
    """A worker program in C: `tasks-worker` or `logmerge-worker`."""

    def __init__(self, folder, broker_url, backend_url, name="tasks-worker", options=(), env=None, node=None,
                 wait=True):
        number = next(_numbers)
        self.node = node or f"c{os.getpid()}-{number}@test"
        self.app = celery_app(broker_url, backend_url)
        self.process = Program(
            [program(name), "--hostname", self.node, *[str(option) for option in options]],
            folder / f"{name}-{number}.log",
            env=environment(CELERY_BROKER_URL=broker_url, CELERY_RESULT_BACKEND=backend_url, **(env or {})))
        self.process.start()
        if wait:
            self.wait()

    @property
    def pid(self):
        return self.process.pid

    def wait(self, timeout=120):
        wait_for_worker(self.app, self.node, self.process, timeout)
        return self

    def log(self):
        return self.process.log()

    def finish(self, **how):
        return self.process.finish(**how)

    def kill(self):
        self.process.kill()


class PythonWorker:
    """A genuine Celery worker on tests/celery/pytasks.py (or another module with an `app`)."""

    def __init__(self, folder, broker_url, backend_url, module="tests.celery.pytasks", options=(), env=None,
                 node=None, wait=True):
        number = next(_numbers)
        self.node = node or f"py{os.getpid()}-{number}@test"
        self.app = celery_app(broker_url, backend_url)
        self.process = Process(
            [sys.executable, "-m", "celery", "-A", module, "worker", "--hostname", self.node, "--loglevel", "INFO",
             *[str(option) for option in options]],
            folder / f"python-worker-{number}.log", cwd=str(ROOT),
            env=environment(CELERY_BROKER_URL=broker_url, CELERY_RESULT_BACKEND=backend_url, PYTHONPATH=str(ROOT),
                            TMPDIR=folder, **(env or {})))  # billiard leaves a folder behind in TMPDIR
        self.process.start()
        if wait:
            wait_for_worker(self.app, self.node, self.process)

    def log(self):
        return self.process.log()

    def kill(self):
        self.process.kill()
