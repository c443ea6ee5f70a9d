"""The genuine worker's application, with the settings that the suite's own conftest gives its worker."""

import os

from celery import Celery

app = Celery("integration", set_as_current=True, broker=os.environ["CELERY_BROKER_URL"],
             backend=os.environ["CELERY_RESULT_BACKEND"])
app.conf.update(result_extended=True, broker_connection_retry_on_startup=True,
                worker_hijack_root_logger=False)
app.set_default()
app.loader.import_task_module("t.integration.tasks")

from t.integration.tasks import ClassBasedAutoRetryTask  # noqa: E402

app.register_task(ClassBasedAutoRetryTask)
