"""A child process with a log file, ended by its process id and gone when this program is gone."""

import atexit
import ctypes
import os
import signal
import subprocess
import time


class ServerError(Exception):
    """A server did not start, or did not become ready; the text has the end of its log."""


def wait_for(condition, what, timeout=60, every=0.05):
    """Polls until condition() is true (its value is returned). An exception of it counts as false until the time is up."""
    deadline = time.monotonic() + timeout
    problem = None
    while True:
        try:
            value = condition()
            if value:
                return value
            problem = None
        except Exception as error:  # whatever the condition met, it may be different in a moment
            problem = error
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout} s" + (f" ({problem!r})" if problem else ""))
        time.sleep(every)


_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent():
    """In the new process: an end when the program that started it ends, however that ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _session_that_dies_with_parent():
    os.setsid()
    die_with_parent()


class Process:
    """One process in a session of its own. `stay` lets it outlive this program (the demo's servers)."""

    def __init__(self, command, log, env=None, cwd=None, stay=False):
        self.command, self.log_path = [str(word) for word in command], str(log)
        self.env, self.cwd, self.stay = env, cwd, stay
        self.popen = None

    @property
    def pid(self):
        return self.popen.pid

    def start(self):
        with open(self.log_path, "ab") as log:
            self.popen = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env, cwd=self.cwd,
                preexec_fn=os.setsid if self.stay else _session_that_dies_with_parent)
        if not self.stay:
            atexit.register(self.kill)
        return self

    def is_running(self):
        return self.popen is not None and self.popen.poll() is None

    def send_signal(self, number):
        if self.is_running():
            os.kill(self.popen.pid, number)

    def wait(self, timeout=60):
        """The exit code; kills and raises when it does not end in time."""
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServerError(f"{self.command[0]} did not end within {timeout} s\n{self.log_tail()}") from None

    def stop(self, number=signal.SIGTERM, timeout=60):
        """Asks it to end, waits, and returns its exit code."""
        if self.popen is None:
            return None
        self.send_signal(signal.SIGCONT)
        self.send_signal(number)
        return self.wait(timeout)

    def kill(self):
        """Ends it and its process group at once."""
        atexit.unregister(self.kill)
        if self.popen is None:
            return
        try:
            os.killpg(self.popen.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.popen.wait()

    def log(self):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as log:
                return log.read()
        except FileNotFoundError:
            return ""

    def log_tail(self, lines=40):
        return "\n".join(self.log().splitlines()[-lines:])

    def wait_ready(self, ready, what, timeout=120):
        """Waits until ready() is true; says why when the process ended before."""
        def look():
            if not self.is_running():
                raise ServerError(f"{what} ended with {self.popen.poll()}:\n{self.log_tail()}")
            return ready()

        deadline = time.monotonic() + timeout
        while True:
            try:
                if look():
                    return
            except ServerError:
                raise
            except Exception:  # refused connections and half answers while it starts
                pass
            if time.monotonic() > deadline:
                raise ServerError(f"{what} is not ready after {timeout} s:\n{self.log_tail()}")
            time.sleep(0.05)
