"""Fixtures of several files here: the C programs that stand for one part of the library each, and a monitor."""

import pytest

from tests.celery.amqp_tool import AmqpTool
from tests.celery.client_tool import ClientTool
from tests.celery.results_tool import ResultsTool
from tests.celery.worker_tool import Monitor


def _started(kind, folder):
    """A factory of processes; after the test all of them end in order, and none outlives it."""
    made = []

    def start(urls, **settings):
        made.append(kind(urls, folder, **settings))
        return made[-1]

    yield start
    try:
        for one in made:
            one.finish()
    finally:
        for one in made:
            one.kill()


@pytest.fixture
def amqp_tool(tmp_path):
    """amqp_tool(urls, **settings): a process with a consumer and a publisher."""
    yield from _started(AmqpTool, tmp_path)


@pytest.fixture
def results_tool(tmp_path):
    """results_tool(url, **settings): a process that stores and reads results."""
    yield from _started(ResultsTool, tmp_path)


@pytest.fixture
def client(tmp_path, broker_url, redis_url):
    """A process with a client of the test's broker and Redis."""
    tool = ClientTool(tmp_path, broker_url, redis_url)
    try:
        yield tool
        tool.finish()
    finally:
        tool.kill()


@pytest.fixture
def monitor(app):
    """Every event on the test's broker."""
    one = Monitor(app)
    yield one
    one.finish()
