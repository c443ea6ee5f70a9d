"""The programs under test: built with sanitizers, started like an operator would, ended in order."""

import os
import pathlib
import signal

from dev.servers import Process

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("TEST_BUILD", ROOT / "build-test"))

# A report of a sanitizer ends the program with this code, so that no exit code of the program's own can hide it.
SANITIZER_EXIT = 97
SANITIZER_ENVIRONMENT = {
    "ASAN_OPTIONS": f"exitcode={SANITIZER_EXIT}:detect_leaks=1:abort_on_error=0:allocator_may_return_null=1",
    "UBSAN_OPTIONS": f"halt_on_error=1:exitcode={SANITIZER_EXIT}:print_stacktrace=1",
    "LSAN_OPTIONS": f"exitcode={SANITIZER_EXIT}",
}


def program(name):
    """The path of a built program, wherever in the build directory it is."""
    found = [path for path in BUILD.rglob(name) if path.is_file() and os.access(path, os.X_OK)]
    if not found:
        raise FileNotFoundError(f"{name} is not built in {BUILD}: run dev/setup test-build")
    return str(found[0])


def environment(**changes):
    """The environment of a program under test: nothing of the machine's settings, sanitizers strict."""
    base = {key: value for key, value in os.environ.items()
            if not key.startswith(("CELERY_", "AWS_", "LOGMERGE_", "REDIS_", "S3_"))}
    return {**base, **SANITIZER_ENVIRONMENT, **{key: str(value) for key, value in changes.items()}}


def sanitizer_report(text):
    """The first lines of a sanitizer's report in a log, or ''."""
    for mark in ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:", "WARNING: ThreadSanitizer"):
        at = text.find(mark)
        if at >= 0:
            return text[max(0, at - 100):at + 4000]
    return ""


class Program(Process):
    """A program under test. `finish()` ends it in order and fails when it did not end well."""

    def finish(self, number=signal.SIGTERM, timeout=120, codes=(0,)):
        code = self.popen.poll() if not self.is_running() else self.stop(number, timeout)
        self.kill()  # what may be left of its process group
        report = sanitizer_report(self.log())
        assert not report, f"{self.command[0]}: sanitizer report\n{report}"
        assert code in codes, f"{self.command[0]} ended with {code}:\n{self.log_tail()}"
        return code
