"""usage: tests/compose/run [pytest option]...

Starts a Docker engine where none answers, makes or pulls the images, runs tests/compose, and then tests/celery on the compose
file's RabbitMQ. With arguments only tests/compose, with them. The last line is `N passed, N failed`."""

import json
import os
import pathlib
import sys
import time

from dev.containers.engine import Engine
from dev.containers.images import defaults, export_root, image_variables
from dev.servers import ServerError
from tests.harness.runner import ROOT, Outcome, beside_each_other, lanes, once_more, pytest_run, report, say

FOLDER = pathlib.Path(os.environ.get("COMPOSE_TEST_FOLDER", ROOT / ".state" / "containers"))


def in_containers(arguments):
    """The outcome of tests/compose, and the root with the RabbitMQ of the compose file's image (None with arguments)."""
    with Engine(FOLDER / "engine"):
        variables = image_variables(FOLDER, lambda text: say(f"containers: {text}"), minio=True)
        os.environ.update(variables)
        os.environ["COMPOSE_TEST_STANDINS"] = "1" if variables else ""
        say(f"containers: images {json.dumps(variables) if variables else 'as named in .env'}")
        outcome = pytest_run("compose", ["-s", "tests/compose", *arguments])
        image = variables.get("RABBITMQ_IMAGE", defaults()["RABBITMQ_IMAGE"])
        return outcome, export_root(image, FOLDER / "rabbitmq4") if not arguments else None


def celery_tests_on(root):
    """tests/celery on the RabbitMQ in `root`: what passed beside others, and what passed by itself only."""
    os.environ["RABBITMQ_ROOT"] = str(root)
    groups = {f"{lane}-rabbitmq4": [file for file in files if file.startswith("tests/celery/")]
              for lane, files in lanes().items()}
    total = Outcome()
    for outcome in beside_each_other({lane: files for lane, files in groups.items() if files}):
        total.add(outcome)
    again = once_more(total.failed)
    total.passed += again
    total.failed = [node for node in total.failed if node not in again]
    return total, again


def main(arguments):
    began = time.monotonic()
    if arguments and arguments[0] in ("-h", "--help"):
        print(__doc__)
        return 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        total, root = in_containers(arguments)
    except ServerError as problem:
        say(f"containers: {problem}")
        return 1
    again = []
    if root is not None:
        outcome, again = celery_tests_on(root)
        total.add(outcome)
    return report(total, again, began)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
