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
from tests.harness.runner import ROOT, Outcome, pytest_run, report, say

FOLDER = pathlib.Path(os.environ.get("COMPOSE_TEST_FOLDER", ROOT / ".state" / "containers"))


def main(arguments):
    began = time.monotonic()
    if arguments and arguments[0] in ("-h", "--help"):
        print(__doc__)
        return 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    total = Outcome()
    with Engine(FOLDER / "engine"):
        variables = image_variables(FOLDER, lambda text: say(f"containers: {text}"), minio=True)
        os.environ.update(variables)
        os.environ["COMPOSE_TEST_STANDINS"] = "1" if variables else ""
        say(f"containers: images {json.dumps(variables) if variables else 'as named in .env'}")
        total.add(pytest_run("compose", ["-s", "tests/compose", *arguments]))
        image = variables.get("RABBITMQ_IMAGE", defaults()["RABBITMQ_IMAGE"])
        root = export_root(image, FOLDER / "rabbitmq4") if not arguments else None
    if root is not None:
        os.environ["RABBITMQ_ROOT"] = str(root)
        total.add(pytest_run("celery-rabbitmq4", ["tests/celery", "-m", "not alone"]))
    return report(total, [], began)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
