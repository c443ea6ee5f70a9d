"""`api`: one API for all tests of this folder that leave it as they found it. `own_api`: a factory of one's own."""

import os

import pytest

from dev.servers import Redis
from tests.api.service import Api
from tests.harness.buckets import Buckets


@pytest.fixture(scope="session")
def api(rabbitmq, s3_server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("api")
    redis = Redis(folder / "redis").start()
    vhost = f"api{os.getpid()}"
    service = Api(folder, rabbitmq.add_vhost(vhost), redis.url, s3_server, Buckets(s3_server.data, f"api{os.getpid()}"))
    yield service
    service.close()
    try:
        service.process.finish()
    finally:
        rabbitmq.delete_vhost(vhost)
        redis.kill()


@pytest.fixture
def own_api(tmp_path, broker_url, redis_url, s3_server, buckets):
    """own_api(broker=..., redis=..., s3=..., **settings): an API of the test's own, ended in order after the test."""
    made = []

    def start(broker=None, redis=None, s3=None, on=None, **settings):
        server = s3 or s3_server
        pair = on or (buckets if s3 is None else Buckets(s3.data, "own"))
        made.append(Api(tmp_path, broker or broker_url, redis or redis_url, server, pair, **settings))
        return made[-1]

    yield start
    problems = []
    for service in made:
        service.close()
        try:
            if service.process.is_running():
                service.process.finish()
        except AssertionError as problem:
            problems.append(str(problem))
        finally:
            service.process.kill()
    assert not problems, "\n".join(problems)
