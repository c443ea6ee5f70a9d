"""One browser for all tests of Flower's pages, and a Flower on each test's own broker.

The pictures that tests take lie in $TEST_SCREENSHOTS, or else in a folder of the run's that is printed."""

import os
import pathlib

import pytest

from tests.flower.browser import Browser, why_it_cannot_start
from tests.harness.flower import Flower
from tests.worker.conftest import gate, merge_worker  # noqa: F401 (fixtures)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    reason = why_it_cannot_start(tmp_path_factory.mktemp("chromium-probe"))
    if reason:
        pytest.skip(reason)
    pictures = pathlib.Path(os.environ.get("TEST_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    pictures.mkdir(parents=True, exist_ok=True)
    print(f"\nscreenshots: {pictures}")
    one = Browser(tmp_path_factory.mktemp("chromium"), pictures)
    yield one
    one.close()


@pytest.fixture
def flower(chromium, tmp_path, broker_url, redis_url, rabbitmq):
    one = Flower(tmp_path, broker_url, redis_url, "-A", "tests.flower.flower_app",
                 options=[f"--broker-api={rabbitmq.management_url}"])
    yield one
    one.process.kill()


@pytest.fixture
def browser(chromium, flower):  # after Flower, so that no page asks a Flower that is gone
    """Nothing may have gone wrong in its pages when the test ends."""
    yield chromium
    chromium.window.get("about:blank")
    assert chromium.errors() == []
