"""Canvases of any shape end with the C worker as with the genuine one: every run, every state. `make canvases`
makes thousands of them."""

import pytest

from tests.conformance import canvases

SEEDS = 60


@pytest.fixture
def both(rabbitmq, redis_server, vhost, tmp_path):
    """A genuine worker and the C worker, apart from each other."""
    other = f"{vhost}-c"
    rabbitmq.add_vhost(other)
    last = redis_server.databases - 1  # the others are given out from the first
    made = canvases.Comparison(tmp_path, (rabbitmq.url_of(vhost), redis_server.url_of(last)),
                               (rabbitmq.url_of(other), redis_server.url_of(last - 1)))
    yield made
    try:
        made.c.worker.finish()
    finally:
        made.close()
        made.python.worker.kill()
        made.c.worker.kill()
        rabbitmq.delete_vhost(other)


def test_random_canvases_end_as_with_the_genuine_worker(both):
    specs = {seed: canvases.canvas_of(seed) for seed in range(SEEDS)}
    found = both.differences(specs)
    assert not found, "\n\n".join(f"{canvases.shown(specs[seed]) if seed in specs else 'not known of which'}\n"
                                  f"{text}" for seed, text in found.items())
