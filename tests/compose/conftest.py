"""The system in containers, built once for all tests of this folder."""

import subprocess
import time

import pytest

from tests.compose.system import System, copy_tree


@pytest.fixture(scope="session")
def tree(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tree")
    copy_tree(folder)
    return folder


@pytest.fixture(scope="session")
def built(tree):
    """The project with its images built and nothing started."""
    system = System(tree)
    system.compose("build", timeout=2400)
    return system


@pytest.fixture(scope="session")
def system(built):
    """Everything up and ready; how long that took is printed."""
    began = time.monotonic()
    built.compose("up", "-d")
    built.wait_ready()
    print(f"\nfrom `docker-compose up` to a ready API: {time.monotonic() - began:.1f} s")
    yield built
    built.down()


@pytest.fixture(scope="session")
def generated(tree):
    """The assignment's own command line, into miniodata/logs; the files' contents by name."""
    run = subprocess.run(
        "cd log-generator && python3 log-generator.py --path ../miniodata/logs --days 5 --lines 500 --files 3 "
        "--start 2019-08-17 --seed 1", shell=True, cwd=tree, text=True, capture_output=True, check=False)
    assert run.returncode == 0, run.stderr
    return {path.name: path.read_bytes() for path in sorted((tree / "miniodata" / "logs").iterdir())}
