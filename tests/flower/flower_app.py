"""The application that Flower runs on here. Flower sets limits only of tasks that it knows by name, and its
buttons give a worker one second to reply, which is too little on a loaded machine."""

from celery import Celery
from celery.app.control import Control


class PatientControl(Control):
    """Waits long for one worker's reply; what is asked of all waits as long as was said."""

    def broadcast(self, command, arguments=None, destination=None, **options):
        if destination and options.get("reply"):
            options["timeout"] = 60
        return super().broadcast(command, arguments, destination, **options)


app = Celery("flower_app", control=PatientControl)


@app.task(name="demo.add")
def add(x, y):
    """Known by name only."""


@app.task(name="merge_s3_files")
def merge_s3_files(start_date, end_date):
    """Known by name only."""
