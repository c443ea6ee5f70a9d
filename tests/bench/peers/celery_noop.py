"""The peer of tests/bench/celery: a genuine Celery app with the no-op task; broker and results come from the environment."""

from celery import Celery

app = Celery("bench")
app.conf.update(worker_send_task_events=False, broker_connection_retry_on_startup=True)


@app.task(name="demo.noop")
def noop():
    return None
