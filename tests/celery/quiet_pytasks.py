"""The tasks of pytasks.py for a worker that sends no task events until it is told to."""

from tests.celery.pytasks import app

app.conf.worker_send_task_events = False
