"""The tasks of random canvases (tests/conformance/canvases.py) for the genuine worker; in C: canvas_worker.c. Each run is
a line in the file that CANVAS_RUNS names."""

import json
import os
import signal
import time

from celery import Celery
from celery.canvas import maybe_signature
from celery.exceptions import Reject

app = Celery("canvas", broker=os.environ.get("CELERY_BROKER_URL"), backend=os.environ.get("CELERY_RESULT_BACKEND"))
app.conf.update(broker_connection_retry_on_startup=True, result_extended=True)
MOST_VALUES = 60  # in a result; results of results grow without bound


def count_values(value):
    """How many values there are in it, itself among them."""
    return 1 + (sum(map(count_values, value)) if isinstance(value, (list, tuple)) else 0)


def bounded(args):
    count = count_values(args)
    return list(args) if count <= MOST_VALUES else ["many", count]


def note(task, label, args):
    request = task.request
    write_run({"label": label, "args": bounded(args), "retries": request.retries, "root_id": request.root_id,
               "parent_id": request.parent_id, "group": request.group})


def write_run(run):
    """One line in the file of runs, by one write."""
    file = os.open(os.environ["CANVAS_RUNS"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.write(file, json.dumps(run).encode() + b"\n")
    os.close(file)


@app.task(name="canvas.join", bind=True)
def join(self, *args, label):
    """What came, with the task's label before it."""
    note(self, label, args)
    return [label, bounded(args)]


@app.task(name="canvas.fail", bind=True)
def fail(self, *args, label):
    note(self, label, args)
    raise ValueError(f"{label} fails")


@app.task(name="canvas.retry", bind=True, acks_late=True)
def retry(self, *args, label, tires=False):
    """Is retried once, then returns; or, with `tires`, fails. Late: with a prefetch of 1 its retry is sent before others
    run."""
    note(self, label, args)
    if self.request.retries >= 1 and not tires:
        return [label, bounded(args)]
    raise self.retry(countdown=0, max_retries=1, exc=ValueError(f"{label} tires"))


def end(self, *args, label, how):
    """Does not end by itself: the worker's parent finds how it ended."""
    note(self, label, args)
    if how == "reject":
        raise Reject(requeue=False)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(600)


app.task(name="canvas.end", bind=True)(end)
app.task(name="canvas.end_late", bind=True, acks_late=True)(end)


@app.task(name="canvas.replace", bind=True)
def replace(self, *args, label, by):
    """Is replaced by the canvas that is its argument."""
    note(self, label, args)
    return self.replace(maybe_signature(by, app=app))


@app.task(name="canvas.send", bind=True)
def send(self, *args, label, by):
    """Sends the canvas that is its argument."""
    note(self, label, args)
    maybe_signature(by, app=app).apply_async()
    return label


@app.task(name="canvas.errback", bind=True)
def errback(self, request_id=None, *, label=""):
    """The old style: a task that gets the id of what failed."""
    note(self, label, [request_id])
    return [label, request_id]


@app.task(name="canvas.errback_in_place")  # bound it would count as of the old style
def errback_in_place(request, exc, tb, *, label):
    """The new style: called where the task failed, with its request, the exception and the traceback."""
    write_run({"label": label, "args": [request.id, type(exc).__name__], "in_place": True})


@app.task(name="canvas.hold")
def hold(path):
    """Holds the only child until a file is there, so that all that is sent meanwhile waits in its order."""
    while not os.path.exists(path):
        time.sleep(0.01)
