"""The system in containers, as its user has it: a copy of the tree, docker-compose, and the published ports."""

import json
import os
import pathlib
import shutil
import subprocess

import requests

from dev.servers import free_port, wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]


def compose_commands():
    """docker-compose 1.29 and the plugin, whichever are here."""
    found = [["docker-compose"]] if shutil.which("docker-compose") else []
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0:
        found.append(["docker", "compose"])
    return found


def copy_tree(target):
    """What git has of the tree, so that nothing of this machine's builds or data gets in."""
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    for name in files.decode().split("\0"):
        if name and (ROOT / name).exists():
            destination = target / name
            destination.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, destination)


class System:
    """One project of docker-compose. `files` are laid over docker-compose.yml."""

    def __init__(self, folder, files=(), project="logmergetest"):
        self.folder, self.project = pathlib.Path(folder), project
        self.command = compose_commands()[0]
        self.files = ["docker-compose.yml", *files]
        if os.environ.get("COMPOSE_TEST_STANDINS"):
            self.files.append("dev/containers/standins.yml")
        self.ports = {name: free_port() for name in ("API_PORT", "S3_PORT", "FLOWER_PORT", "MINIO_CONSOLE_PORT")}
        self.environment = {**os.environ, **{name: str(port) for name, port in self.ports.items()},
                            "COMPOSE_PROJECT_NAME": project}

    @property
    def api(self):
        return f"http://localhost:{self.ports['API_PORT']}"

    @property
    def logs(self):
        return self.folder / "miniodata" / "logs"

    def compose(self, *words, check=True, timeout=1200):
        files = [word for name in self.files for word in ("-f", name)]
        run = subprocess.run([*self.command, *files, *map(str, words)], cwd=self.folder, env=self.environment,
                             text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             timeout=timeout, check=False)
        assert not check or run.returncode == 0, f"docker-compose {' '.join(map(str, words))}:\n{run.stdout[-6000:]}"
        return run.stdout

    def containers(self, service):
        """Ids of the running containers of a service."""
        return self.compose("ps", "-q", service).split()

    def inspect(self, container):
        return json.loads(subprocess.run(["docker", "inspect", container], check=True, capture_output=True).stdout)[0]

    def wait_ready(self, timeout=300):
        def ready():
            return requests.get(f"{self.api}/readyz", timeout=10).status_code == 200

        try:
            wait_for(ready, f"{self.api}/readyz answers 200", timeout, every=0.2)
        except TimeoutError as problem:
            raise AssertionError(f"{problem}\n{self.compose('ps')}\n{self.compose('logs', '--tail', 60)}") from problem

    def initiate(self, start, end):
        def accepted():
            answer = requests.post(f"{self.api}/initiate", json={"start_date": start, "end_date": end}, timeout=60)
            return answer if answer.status_code == 202 else None

        return wait_for(accepted, "POST /initiate answers 202", 120).json()["download_id"]

    def wait_merged(self, download_id, timeout=600):
        """The merged bytes; fails at once when the job failed."""
        def merged():
            try:
                answer = requests.get(f"{self.api}/download/{download_id}", timeout=60)
            except requests.RequestException:
                return None  # services are being restarted
            if answer.status_code in (202, 503):
                return None
            return answer

        answer = wait_for(merged, f"job {download_id} ends", timeout, every=0.2)
        assert answer.status_code == 200, answer.text
        return answer.content

    def down(self):
        self.compose("down", "--volumes", "--timeout", "20", check=False)
