"""Starts and stops the demo. Settings, from the environment: DEMO_API_PORT (6543), DEMO_S3_PORT (9000), DEMO_FLOWER_PORT
(5555), DEMO_FOLDER (.run: the servers' data and all logs), DEMO_DATA (miniodata: the S3 server's buckets)."""

import json
import os
import pathlib
import sys
import time
import urllib.error
import urllib.request

from dev.demonstration.merge import Problem, merge_and_check
from dev.demonstration.running import Running
from dev.servers import Process, RabbitMQ, Redis, ServerError, VersityGW, port_is_taken

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = pathlib.Path(os.environ.get("DEMO_FOLDER", ROOT / ".run")).absolute()
DATA = pathlib.Path(os.environ.get("DEMO_DATA", ROOT / "miniodata")).absolute()
LOGS = DATA / "logs"


def say(text):
    print(f"demo: {text}", flush=True)


def port(name, default):
    text = os.environ.get(name, str(default))
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        raise Problem(f"{name}={text} is not a port")
    return int(text)


class Demo:
    def __init__(self):
        self.api_port = port("DEMO_API_PORT", 6543)
        self.s3_port = port("DEMO_S3_PORT", 9000)
        self.flower_port = port("DEMO_FLOWER_PORT", 5555)
        self.running = Running(FOLDER / "processes.json")

    @property
    def api_url(self):
        return f"http://localhost:{self.api_port}"

    def check_ports(self):
        for name, number in (("DEMO_API_PORT", self.api_port), ("DEMO_S3_PORT", self.s3_port),
                             ("DEMO_FLOWER_PORT", self.flower_port)):
            if port_is_taken(number, "0.0.0.0"):
                raise Problem(f"port {number} is taken by another program; set {name} to a free one, as in "
                              f"`make demo {name}={number + 1}`")

    def start_servers(self):
        say("starting RabbitMQ, Redis and the S3 server (some 10 s)")
        # Half a day: a merge may hold its message for as long as it runs.
        rabbitmq = RabbitMQ(FOLDER / "rabbitmq", consumer_timeout=43_200_000, stay=True)
        try:
            rabbitmq.start()
        finally:
            for name, process in (("epmd", rabbitmq.epmd), ("rabbitmq", rabbitmq.process)):
                if process is not None:
                    self.running.add(name, process.pid)
        redis = Redis(FOLDER / "redis", stay=True).start()
        self.running.add("redis", redis.process.pid)
        s3 = VersityGW(FOLDER / "s3", DATA, port=self.s3_port, webui="/ui", stay=True).start()
        self.running.add("s3", s3.process.pid)
        return rabbitmq, redis, s3

    def start_programs(self, rabbitmq, redis, s3):
        environment = {
            **os.environ, "CELERY_BROKER_URL": rabbitmq.url, "CELERY_RESULT_BACKEND": redis.url,
            "AWS_ENDPOINT_URL_S3": s3.url, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": s3.access_key,
            "AWS_SECRET_ACCESS_KEY": s3.secret_key, "API_PORT": str(self.api_port),
        }
        self.write_addresses(environment)
        self.start("worker", [ROOT / "build/worker/logmerge-worker", "--task-events", "--concurrency", 2,
                              "--loglevel", "INFO"], environment)
        self.start("api", [ROOT / "build/api/logmerge-api", "--task-events"], environment)
        self.start("flower", [
            sys.executable, "-m", "celery", f"--broker={rabbitmq.url}", f"--result-backend={redis.url}", "flower",
            f"--port={self.flower_port}", "--address=127.0.0.1", f"--broker-api={rabbitmq.management_url}"],
            {**environment, "FLOWER_UNAUTHENTICATED_API": "true"})

    def write_addresses(self, environment):
        """The settings of the programs, for whoever wants to ask the demo's broker with `celery` or from Python."""
        names = ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_ACCESS_KEY_ID",
                 "AWS_SECRET_ACCESS_KEY")
        (FOLDER / "addresses").write_text("".join(f"export {name}='{environment[name]}'\n" for name in names))

    def start(self, name, command, environment):
        process = Process(command, FOLDER / f"{name}.log", env=environment, cwd=str(FOLDER), stay=True).start()
        self.running.add(name, process.pid)
        return process

    def wait_ready(self, url, log, condition=lambda text: True, timeout=120):
        """Until the address answers 200 and what it says meets the condition."""
        deadline = time.monotonic() + timeout
        reason = "nothing answers"
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(url, timeout=5) as answer:
                    if condition(answer.read()):
                        return
                    reason = "what it answers is not complete"
            except urllib.error.HTTPError as error:
                reason = error.read(500).decode(errors="replace")
            except OSError as error:
                reason = str(error)
            time.sleep(0.2)
        raise Problem(f"{url} is not ready after {timeout} s: {reason}; see {log}")

    def make_logs(self):
        if any(LOGS.glob("[0-9]*_[0-9]*")):
            return
        say(f"no log files in {os.path.relpath(LOGS)} yet: making 5 days x 3 files x 500 lines with log-generator")
        code = os.spawnv(os.P_WAIT, sys.executable, [
            sys.executable, str(ROOT / "log-generator/log-generator.py"), "--path", str(LOGS), "--days", "5", "--lines",
            "500", "--files", "3"])
        if code != 0:
            raise Problem(f"log-generator ended with {code}")

    def run(self):
        FOLDER.mkdir(parents=True, exist_ok=True)
        alive = self.running.alive()
        if {"api", "worker", "s3", "redis", "rabbitmq"} <= {entry["name"] for entry in alive}:
            say("already running")
        else:
            if alive:
                say("ending what is left of an earlier demo")
                self.running.stop(say)
            self.check_ports()
            self.make_logs()
            rabbitmq, redis, s3 = self.start_servers()
            say("starting worker, API and Flower")
            self.start_programs(rabbitmq, redis, s3)
        self.wait_ready(f"{self.api_url}/readyz", FOLDER / "api.log")
        self.wait_ready(f"http://localhost:{self.flower_port}/workers?json=1", FOLDER / "flower.log",
                        lambda text: json.loads(text)["data"])  # it has heard the worker, so it hears of the job
        merge_and_check(self.api_url, LOGS, FOLDER, say)
        self.show_addresses()

    def show_addresses(self):
        say("running, and stays so:")
        print(f"  REST API       {self.api_url}/initiate, /download/<id>, /readyz")
        print(f"  Flower         http://localhost:{self.flower_port}")
        print(f"  S3 and its UI  http://localhost:{self.s3_port}/ui  (minio / minio123)")
        print(f"  logs           {os.path.relpath(FOLDER)}/*.log")
        print(f"  ask the worker . {os.path.relpath(FOLDER)}/addresses; .venv/bin/celery status")
        print("  end it all     make stop", flush=True)


def main(words):
    if words == ["stop"]:
        count = Running(FOLDER / "processes.json").stop(say)
        say(f"{count} processes ended" if count else "nothing was running")
        return 0
    if words != ["start"]:
        print("usage: python -m dev.demonstration start|stop", file=sys.stderr)
        return 2
    try:
        Demo().run()
    except (Problem, ServerError, OSError) as problem:
        print(f"demo: {problem}\ndemo: `make stop` ends what was started", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
