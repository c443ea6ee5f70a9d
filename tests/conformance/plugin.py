"""A pytest plugin for Celery's integration suite: workers run in processes of their own, whoever's they are.

The suite's conftest takes the fixture `celery_session_worker`, which would start a worker in a thread of the
test process, from celery.contrib.pytest when it is imported; this module, imported earlier by `-p`, puts another
in its place, which registers the tasks with the client as the original does and waits for the worker. The C
worker also stands in for those that the tests themselves start with `celery ... worker`."""

import os
import subprocess
import sys
import time

import celery.contrib.pytest
import celery.utils.nodenames
import pytest

from tests.conformance import suite

NODE = os.environ["CONFORMANCE_NODE"]
PROGRAM = os.environ["CONFORMANCE_PROGRAM"]  # the C worker; empty: the genuine one
CELERY = (["celery"], [sys.executable, "-m", "celery"])


@pytest.fixture(scope="session")
def celery_session_worker(celery_session_app, celery_includes, celery_class_tasks):
    for module in celery_includes:
        celery_session_app.loader.import_task_module(module)
    for task in celery_class_tasks:
        celery_session_app.register_task(task)
    celery_session_app.finalize()
    deadline = time.monotonic() + 120
    while not celery_session_app.control.ping(destination=[NODE], timeout=2, limit=1):
        if time.monotonic() > deadline:
            pytest.exit(f"the worker {NODE} does not answer a ping", returncode=3)
    yield None


celery.contrib.pytest.celery_session_worker = celery_session_worker
# The name that the suite expects of a worker in its own process.
celery.utils.nodenames.anon_nodename = lambda *args, **kwargs: NODE


@pytest.fixture(autouse=PROGRAM != "")
def c_worker_for_celery(monkeypatch):
    def start(command, *args, **kwargs):
        for celery in CELERY:
            if command[:len(celery)] == celery:
                command = [PROGRAM, *command[len(celery):]]
        return popen(command, *args, **kwargs)

    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", start)


def pytest_collection_modifyitems(config, items):
    """The time limit of the command line counts for all, though the suite gives most of its tests five minutes
    (which they would need only where they fail), but for those that are known to wait longer."""
    limits, general = suite.slow(), float(config.getoption("timeout"))
    for item in items:
        own = item.get_closest_marker("timeout")
        seconds = (own.args[0] if own.args else own.kwargs["timeout"]) if own else general
        item.add_marker(pytest.mark.timeout(limits.get(item.nodeid, min(seconds, general))), append=False)
