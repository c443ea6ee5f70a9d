"""The Docker engine: the machine's when one answers, else one of our own for as long as the tests run."""

import os
import pathlib
import shutil
import subprocess

from dev.servers import Process, ServerError


def answers(host=None):
    environment = {**os.environ, **({"DOCKER_HOST": host} if host else {})}
    run = subprocess.run(["docker", "info"], env=environment, capture_output=True, check=False, timeout=60)
    return run.returncode == 0


class Engine:
    """`with Engine(folder) as engine:` sets DOCKER_HOST for this program and those that it starts."""

    def __init__(self, folder):
        self.folder, self.process = pathlib.Path(folder), None

    def __enter__(self):
        if shutil.which("docker") is None:
            raise ServerError("the docker command is missing: apt-get install docker.io docker-compose")
        if answers():
            return self
        if os.geteuid() != 0 or shutil.which("dockerd") is None:
            raise ServerError("no Docker engine answers, and starting one takes root and dockerd (package docker.io)")
        self.folder.mkdir(parents=True, exist_ok=True)
        # A socket's path has 108 bytes at most, so it does not lie in the folder.
        run = pathlib.Path(f"/run/logmerge-docker-{os.getpid()}")
        run.mkdir(exist_ok=True)
        host = f"unix://{run}/docker.sock"
        self.process = Process(
            ["dockerd", "--data-root", self.folder / "data", "--exec-root", run / "exec", "-H", host, "--pidfile",
             run / "pid"], self.folder / "dockerd.log").start()
        os.environ["DOCKER_HOST"] = host
        self.process.wait_ready(lambda: answers(host), "dockerd")
        return self

    def __exit__(self, *_):
        if self.process is not None:
            self.process.stop()
            del os.environ["DOCKER_HOST"]
