"""A RabbitMQ node of our own, with its own Erlang port mapper, so that no other node of the machine is met."""

import base64
import json
import os
import pathlib
import shutil
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request

from dev.servers.ports import free_port
from dev.servers.process import Process, ServerError

# Debian's wrappers in /usr/sbin change to the user rabbitmq; the scripts behind them run as whoever calls them. The second
# folder is that of the genuine Docker image.
SCRIPTS = ["usr/lib/rabbitmq/bin", "opt/rabbitmq/sbin"]

# Another version than the machine's: the root of a Debian system that has it (tests/compose exports its image's), in which
# the node then runs, with this machine's /tmp, network and processes. Takes root.
OTHER_ROOT = os.environ.get("RABBITMQ_ROOT", "")


def script(name):
    """The words that begin a command of RabbitMQ: rabbitmq-server, rabbitmqctl."""
    root = pathlib.Path(OTHER_ROOT or "/")
    found = next((folder for folder in SCRIPTS if (root / folder / name).exists()), None)
    if found is None:
        raise ServerError(f"{name} is not installed in {root}: run dev/setup")
    if not OTHER_ROOT:
        return [f"/{found}/{name}"]
    mounts = " && ".join(f"mount --rbind /{each} {root}/{each}" for each in ("tmp", "proc", "dev"))
    return ["unshare", "--mount", "sh", "-c", f'{mounts} && exec chroot {root} "$@"', "sh", f"/{found}/{name}"]


class RabbitMQ:
    """RabbitMQ with the management plugin. `consumer_timeout` in milliseconds, or None for the broker's default."""

    def __init__(self, folder, port=None, management_port=None, consumer_timeout=None, stay=False, config=""):
        self.folder = pathlib.Path(folder)
        self.port = port or free_port()
        self.management_port = management_port or free_port()
        self.distribution_port, self.epmd_port = free_port(), free_port()
        self.consumer_timeout, self.stay, self.extra = consumer_timeout, stay, config
        self.process = self.epmd = None

    @property
    def url(self):
        return self.url_of("/")

    def url_of(self, vhost):
        return f"amqp://guest:guest@127.0.0.1:{self.port}/{urllib.parse.quote(vhost, safe='')}"

    @property
    def management_url(self):
        return f"http://guest:guest@127.0.0.1:{self.management_port}/api/"

    def _environment(self):
        folder = str(self.folder)
        return {
            **os.environ, "HOME": folder, "RABBITMQ_NODENAME": "rabbit@localhost",
            "RABBITMQ_MNESIA_BASE": f"{folder}/data", "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_PID_FILE": f"{folder}/pid", "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq",
            "RABBITMQ_ADVANCED_CONFIG_FILE": f"{folder}/advanced", "RABBITMQ_CONF_ENV_FILE": f"{folder}/none",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins", "RABBITMQ_DIST_PORT": str(self.distribution_port),
            "ERL_EPMD_PORT": str(self.epmd_port), "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_CRASH_DUMP": f"{folder}/erl_crash.dump",
            "RABBITMQ_LOGS": "-",
            # The script becomes the Erlang VM instead of staying its parent, so that what ends the one ends the other.
            "RUNNING_UNDER_SYSTEMD": "true",
            # Idle schedulers sleep at once instead of spinning: the machine has two cores for everything.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none",
        }

    def _write_config(self):
        lines = [
            f"listeners.tcp.1 = 127.0.0.1:{self.port}", "management.tcp.ip = 127.0.0.1",
            f"management.tcp.port = {self.management_port}", "management_agent.disable_metrics_collector = false",
            "collect_statistics_interval = 1000", "log.console = true", "log.console.level = warning",
            "log.file = false", "vm_memory_high_watermark.absolute = 2GB", "disk_free_limit.absolute = 50MB",
            "loopback_users = none",
        ]
        if self.consumer_timeout is not None:
            lines.append(f"consumer_timeout = {self.consumer_timeout}")
        (self.folder / "rabbitmq.conf").write_text("\n".join(lines) + "\n" + self.extra)
        (self.folder / "plugins").write_text("[rabbitmq_management].\n")

    def start(self, timeout=180):
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write_config()
        environment = self._environment()
        if self.epmd is None:
            epmd = shutil.which("epmd") or "/usr/bin/epmd"
            self.epmd = Process([epmd, "-port", self.epmd_port, "-address", "127.0.0.1"], self.folder / "epmd.log",
                                env=environment, stay=self.stay).start()
            self.epmd.wait_ready(lambda: socket.create_connection(("127.0.0.1", self.epmd_port), 1).close() is None,
                                 "epmd")
        self.process = Process(script("rabbitmq-server"), self.folder / "rabbitmq.log", env=environment, stay=self.stay).start()
        self.process.wait_ready(self._is_ready, "RabbitMQ", timeout)
        return self

    def _is_ready(self):
        socket.create_connection(("127.0.0.1", self.port), 1).close()
        return self.api("GET", "overview") is not None

    def stop(self):
        """Ends the node in order, as `rabbitmqctl stop` would (SIGTERM), and its port mapper."""
        if self.process is not None:
            self.process.stop(timeout=120)
            self.process = None
        if self.epmd is not None:
            self.epmd.kill()
            self.epmd = None

    def kill(self):
        for process in (self.process, self.epmd):
            if process is not None:
                process.kill()
        self.process = self.epmd = None

    def restart(self):
        """Stops and starts the node on the same data and ports."""
        self.process.stop(timeout=120)
        self.start()

    def control(self, *words):
        """One command of rabbitmqctl; what it printed."""
        run = subprocess.run([*script("rabbitmqctl"), *map(str, words)], env=self._environment(), text=True, timeout=120,
                             stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if run.returncode != 0:
            raise ServerError(f"rabbitmqctl {' '.join(map(str, words))}: {run.stdout}{run.stderr}")
        return run.stdout

    def pids(self):
        return [process.pid for process in (self.process, self.epmd) if process is not None]

    # ---- the management API ----

    def api(self, method, path, body=None, timeout=30):
        """One call; the decoded answer, {} for an empty one, None for 404."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.management_port}/api/{path}", method=method,
            data=None if body is None else json.dumps(body).encode(), headers={"Content-Type": "application/json"})
        credentials = base64.b64encode(b"guest:guest").decode()
        request.add_header("Authorization", f"Basic {credentials}")
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise
        return json.loads(text) if text else {}

    def add_vhost(self, name):
        quoted = urllib.parse.quote(name, safe="")
        self.api("PUT", f"vhosts/{quoted}", {})
        self.api("PUT", f"permissions/{quoted}/guest", {"configure": ".*", "write": ".*", "read": ".*"})
        return self.url_of(name)

    def delete_vhost(self, name):
        self.api("DELETE", f"vhosts/{urllib.parse.quote(name, safe='')}")

    def queue(self, name, vhost="/"):
        """The management API's view of a queue (figures may be a second old), or None."""
        return self.api("GET", f"queues/{urllib.parse.quote(vhost, safe='')}/{urllib.parse.quote(name, safe='')}")
