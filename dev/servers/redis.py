"""A Redis of our own: append-only file, no eviction, as in production."""

import pathlib
import shutil
import signal
import socket

from dev.servers.ports import free_port
from dev.servers.process import Process, ServerError


class Redis:
    """`options`: more of redis-server's own, as on its command line."""

    def __init__(self, folder, port=None, databases=64, stay=False, options=()):
        self.folder, self.port, self.databases, self.stay = pathlib.Path(folder), port or free_port(), databases, stay
        self.options = options
        self.process = None

    @property
    def url(self):
        return self.url_of(0)

    def url_of(self, database):
        return f"redis://127.0.0.1:{self.port}/{database}"

    def start(self):
        program = shutil.which("redis-server")
        if program is None:
            raise ServerError("redis-server is not installed: run dev/setup")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.process = Process(
            [program, "--port", self.port, "--bind", "127.0.0.1", "--dir", self.folder, "--databases", self.databases,
             "--appendonly", "yes", "--maxmemory-policy", "noeviction", "--save", "", "--daemonize", "no",
             *self.options],
            self.folder / "redis.log", stay=self.stay).start()
        self.process.wait_ready(lambda: self.command("PING").startswith(b"+PONG"), "Redis")
        return self

    def command(self, *words, timeout=10):
        """Sends one command and returns the first bytes of the answer, raw: enough for PING and FLUSHDB."""
        with socket.create_connection(("127.0.0.1", self.port), timeout) as connection:
            parts = [str(word).encode() for word in words]
            connection.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
            return connection.recv(4096)

    def stop(self):
        if self.process is not None:
            self.process.stop(signal.SIGTERM)
            self.process = None

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process = None

    def restart(self):
        self.process.stop(signal.SIGTERM)
        self.start()

    def pids(self):
        return [self.process.pid] if self.process is not None else []
