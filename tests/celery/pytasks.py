"""Tasks of the genuine Celery worker that tests talk to; broker and results come from the environment."""

import json
import os
import time

from celery import Celery
from celery.exceptions import Reject

app = Celery("pytasks", broker=os.environ.get("CELERY_BROKER_URL"), backend=os.environ.get("CELERY_RESULT_BACKEND"))
app.conf.update(broker_connection_retry_on_startup=True, worker_send_task_events=True, worker_concurrency=2,
                result_compression=os.environ.get("TEST_RESULT_COMPRESSION"),
                **json.loads(os.environ.get("TEST_SETTINGS", "{}")))


@app.task(name="demo.add")
def add(x, y):
    return x + y


@app.task(name="demo.sum")
def total(numbers):
    return sum(numbers)


@app.task(name="demo.echo", bind=True)
def echo(self, *args, **kwargs):
    """What arrived, as the worker sees it."""
    request = self.request
    return {"args": list(args), "kwargs": kwargs, "id": request.id, "retries": request.retries, "eta": request.eta,
            "expires": request.expires, "root_id": request.root_id, "parent_id": request.parent_id,
            "timelimit": request.timelimit, "priority": request.delivery_info["priority"],
            "headers": request.headers, "ignore_result": request.ignore_result, "reply_to": request.reply_to}


@app.task(name="demo.fail")
def fail(message="deliberate"):
    raise ValueError(message)


@app.task(name="demo.reject_late", acks_late=True)
def reject_late(requeue=False, reason=None):
    raise Reject(reason, requeue=requeue)


@app.task(name="demo.reject_first", acks_late=True, bind=True)
def reject_first(self, reason):
    """Back to the queue with the reason, and when it comes again: the reason."""
    if self.request.delivery_info["redelivered"]:
        return reason
    raise Reject(reason, requeue=True)


@app.task(name="demo.sleep")
def sleep(seconds):
    time.sleep(seconds)
    return seconds


@app.task(name="demo.give")
def give(kind):
    """Results that are hard to hold."""
    return {"huge": 10 ** 40, "nan": float("nan"), "deep": [[[[[1]]]]], "long": "x" * 100000,
            "text": "ü\U0001f600\0 '\""}[kind]


@app.task(name="demo.noop")
def noop():
    return None


@app.task(name="demo.mul")
def mul(x, y):
    return x * y


@app.task(name="demo.retry", bind=True)
def retry(self, times=1, countdown=0.2):
    if self.request.retries < times:
        raise self.retry(countdown=countdown, max_retries=None, exc=OSError("not yet"))
    return f"retry {self.request.retries}"


@app.task(name="demo.progress", bind=True)
def progress(self, steps=3, pause=0.1):
    for step in range(1, steps + 1):
        self.update_state(state="PROGRESS", meta={"step": step, "of": steps})
        time.sleep(pause)
    return steps


@app.task(name="demo.append")
def append(path, line, seconds=0):
    with open(path, "a", encoding="utf-8") as file:
        file.write(line + "\n")
    time.sleep(seconds)
    return line


def hold_until(path, line, until):
    """A run that is noted, and ends when a file is there."""
    append(path, line)
    while not os.path.exists(until):
        time.sleep(0.01)
    return line


@app.task(name="demo.hold")
def hold(path, line, until):
    return hold_until(path, line, until)


@app.task(name="demo.hold_late", acks_late=True)
def hold_late(path, line, until):
    return hold_until(path, line, until)
