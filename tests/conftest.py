"""Fixtures: private servers for the whole run, a clean corner of them for each test.

    broker_url   a virtual host of the test's own          redis_url   an empty database of the test's own
    buckets      a pair of buckets of the test's own       app         a Python client on both
    worker       starts a C worker (factory)               python_worker   starts a genuine one (factory)

A test that stops or restarts a server takes one of its own (own_rabbitmq, own_redis, own_s3: factories)."""

import itertools
import os
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from dev.servers import RabbitMQ, Redis, VersityGW  # noqa: E402
from tests.harness.buckets import Buckets  # noqa: E402
from tests.harness.workers import CWorker, PythonWorker, celery_app  # noqa: E402

_numbers = itertools.count(1)


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: measures or stresses the machine: run by itself, after all others")


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory):
    server = RabbitMQ(tmp_path_factory.mktemp("rabbitmq")).start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory):
    server = Redis(tmp_path_factory.mktemp("redis")).start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("s3")
    server = VersityGW(folder, folder / "data").start()
    yield server
    server.kill()


@pytest.fixture
def vhost(rabbitmq):
    name = f"test{os.getpid()}-{next(_numbers)}"
    rabbitmq.add_vhost(name)
    yield name
    rabbitmq.delete_vhost(name)


@pytest.fixture
def broker_url(rabbitmq, vhost):
    return rabbitmq.url_of(vhost)


@pytest.fixture
def redis_url(redis_server):
    number = next(_numbers) % redis_server.databases
    import redis
    url = redis_server.url_of(number)
    with redis.Redis.from_url(url) as connection:
        connection.flushdb()
    return url


@pytest.fixture
def buckets(s3_server):
    return Buckets(s3_server.data, f"{os.getpid()}-{next(_numbers)}")


@pytest.fixture
def app(broker_url, redis_url):
    client = celery_app(broker_url, redis_url)
    yield client
    client.close()


def _own(make, tmp_path_factory, name):
    made = []

    def start(**options):
        server = make(tmp_path_factory.mktemp(f"own-{name}"), **options).start()
        made.append(server)
        return server

    yield start
    for server in made:
        server.kill()


@pytest.fixture
def own_rabbitmq(tmp_path_factory):
    yield from _own(RabbitMQ, tmp_path_factory, "rabbitmq")


@pytest.fixture
def own_redis(tmp_path_factory):
    yield from _own(Redis, tmp_path_factory, "redis")


@pytest.fixture
def own_s3(tmp_path_factory):
    yield from _own(lambda folder, **options: VersityGW(folder, folder / "data", **options), tmp_path_factory, "s3")


@pytest.fixture
def worker(tmp_path, broker_url, redis_url):
    """worker(*options, name=..., env=...): a C worker that is ready; ended in order after the test, leaks and all."""
    made = []

    def start(*options, broker=None, backend=None, **more):
        made.append(CWorker(tmp_path, broker or broker_url, backend or redis_url, options=options, **more))
        return made[-1]

    yield start
    problems = []
    for one in reversed(made):
        try:
            if one.process.is_running():
                one.finish()
            else:
                one.kill()
        except AssertionError as problem:
            problems.append(str(problem))
    assert not problems, "\n".join(problems)


@pytest.fixture
def python_worker(tmp_path, broker_url, redis_url):
    made = []

    def start(*options, **more):
        made.append(PythonWorker(tmp_path, broker_url, redis_url, options=options, **more))
        return made[-1]

    yield start
    for one in made:
        one.kill()
