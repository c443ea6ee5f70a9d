"""A frozen chord that is applied a second time has the ids of the first time, and Celery's client says that it is a new
run only after it has published the first of its tasks: one that has ended by then counts all the same."""

import pytest
from celery import chord, group, signature

from dev.servers import wait_for


def is_finished(redis):
    """Whether the only chord in the database has nothing left but the word that its body was sent."""
    keys = list(redis.scan_iter("celery-taskset-meta-*"))
    return len(keys) == 1 and redis.get(keys[0]) == b"done"


@pytest.fixture
def slow_client(app, monkeypatch):
    """A client that is slow to say how large a chord is: before that, the first task has told its end."""
    redis, say = app.backend.client, app.backend.set_chord_size

    def set_chord_size(group_id, size):
        returned = app.backend.get_key_for_group(group_id, ".d")
        wait_for(lambda: redis.exists(returned), "the first task is counted", 60)
        say(group_id, size)

    monkeypatch.setattr(app.backend, "set_chord_size", set_chord_size)


def test_a_frozen_chord_runs_anew_however_quick_its_first_task_is(worker, app, slow_client, tmp_path):
    worker()
    told = tmp_path / "told"
    header = group([signature("demo.add", [1, 2], app=app), signature("demo.add", [3, 4], app=app)], app=app)
    body = signature("demo.append", [str(told), "the body"], immutable=True, app=app)
    whole = chord(header, body, app=app)
    whole.freeze()
    for runs in (1, 2, 3):
        result = whole.apply_async()
        wait_for(lambda: told.exists() and told.read_text().count("the body") == runs, f"body {runs} has run", 60)
        wait_for(lambda: is_finished(app.backend.client), "the chord is cleaned up", 60)
        result.get(timeout=60)
