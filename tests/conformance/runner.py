"""usage: tests/conformance/run [OPTION]... [FILE or test id of the suite]...   (--help: the options)

Runs Celery's own integration suite (t/integration of its source distribution) against a worker in C, or with
--reference (REFERENCE=1 in the environment) against the genuine Python worker, in two lanes beside each other,
each with a RabbitMQ, a Redis and a worker of its own. No test is tried twice. celeryc is installed into a
folder, and the worker compiled there from tests/celery/integration_*.c with what pkg-config says and no more.

expected.tsv has what each test gives against the genuine worker in another process; left-out.tsv the tests
that cannot pass there, with the reason. The last lines are per file: passed, failed, not applicable. Exits 0
when every test has at least the expected outcome. Logs: .state/conformance/."""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree

from dev.servers import Process, RabbitMQ, Redis
from tests.conformance import suite
from tests.harness.installation import Installation

ROOT = suite.ROOT
LOGS = ROOT / ".state" / "conformance"
# The tests of test_redis_backend count the channels in Redis, so that file goes first.
LANES = [["test_canvas"],
         ["test_redis_backend", "test_inspect", "test_group_chains", "test_tasks", "test_worker"]]
GOOD = ("passed", "xpassed")
WORDS = {"PASSED": "passed", "FAILED": "failed", "ERROR": "failed", "SKIPPED": "skipped", "XPASS": "xpassed",
         "XFAIL": "xfailed"}
LINE = re.compile(rf"(t/\S+?::.+?) ({'|'.join(WORDS)})\b")


class Lane:
    """Servers, a worker and one pytest process over some files of the suite."""

    def __init__(self, name, targets, options, program):
        self.name, self.targets, self.options, self.program = name, targets, options, program
        self.folder = LOGS / options.name / name
        self.outcomes, self.reasons, self.problems = {}, {}, []

    def environment(self):
        """What the tests are told, and what their Redis tasks in the worker read, too."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CELERY_")}
        return {**kept, "TEST_BROKER": self.rabbitmq.url.replace("amqp://", "pyamqp://"),
                "TEST_BACKEND": self.backend, "REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(self.redis.port),
                "CONFORMANCE_NODE": f"{self.name}@conformance",
                "CONFORMANCE_PROGRAM": str(self.program or ""),
                "PYTHONPATH": f"{ROOT}{os.pathsep}{self.options.source}",
                "PATH": f"{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}

    @property
    def backend(self):
        return self.redis.url if self.options.backend == "redis" else "rpc://"

    def worker(self):
        node = ["--hostname", f"{self.name}@conformance", "--concurrency", self.options.concurrency,
                "--loglevel", "INFO"]
        if self.options.reference:
            command = [sys.executable, "-m", "celery", "-A", "tests.conformance.reference", "worker", *node]
        else:
            command = [self.program, "--result-extended", *node]
        # Not in the tests' own environment, where it would go before what a test configures.
        environment = {**self.environment(), "CELERY_BROKER_URL": self.rabbitmq.url,
                       "CELERY_RESULT_BACKEND": self.backend}
        return Process(command, self.folder / "worker.log", cwd=str(self.options.source), env=environment)

    def pytest(self):
        report = self.folder / "report.xml"
        command = [sys.executable, "-m", "pytest", "-v", "-p", "celery.contrib.pytest", "-p",
                   "tests.conformance.plugin", "-p", "no:rerunfailures", "-p", "no:cacheprovider",
                   "--timeout", self.options.timeout,
                   f"--junitxml={report}", "-o", "junit_family=xunit1"]
        if not self.options.everything:
            for test in suite.left_out():
                command += ["--deselect", test]
        command += self.targets
        with open(self.folder / "pytest.log", "w", encoding="utf-8") as log:
            run = subprocess.Popen(command, cwd=self.options.source, env=self.environment(), text=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   errors="replace")
            for line in run.stdout:
                log.write(line)
                log.flush()
                self.read(line)
            code = run.wait()
        if code not in (0, 1):
            self.problems.append(f"pytest ended with {code}: see {self.folder}/pytest.log")
        if report.exists():
            self.read_reasons(report)

    def read(self, line):
        """One line of pytest -v: an outcome, shown as it comes."""
        found = LINE.match(line)
        if not found:
            return
        test, outcome = found[1], WORDS[found[2]]
        self.outcomes[test] = outcome
        print(f"{time.strftime('%H:%M:%S')} {outcome:8} {test.removeprefix('t/integration/')}", flush=True)

    def read_reasons(self, report):
        for case in xml.etree.ElementTree.parse(report).getroot().iter("testcase"):
            names = case.get("classname").split(".")[3:] + [case.get("name")]
            node = f"{case.get('file')}::{'::'.join(names)}"
            for kind in ("failure", "error"):
                if case.find(kind) is not None:
                    self.reasons[node] = (case.find(kind).get("message") or "").splitlines()[:1]

    def run(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        for log in self.folder.glob("*.log"):
            log.unlink()
        self.rabbitmq = RabbitMQ(self.folder / "rabbitmq").start()
        self.redis = Redis(self.folder / "redis").start()
        self.redis.command("FLUSHALL")
        worker = self.worker().start()
        try:
            self.pytest()
            if not worker.is_running():
                self.problems.append(f"the worker ended: see {worker.log_path}")
            elif worker.stop(timeout=120) != 0:
                self.problems.append(f"the worker did not end well: see {worker.log_path}")
            self.check_clean()
        finally:
            worker.kill()
            self.redis.kill()
            self.rabbitmq.kill()

    def check_clean(self):
        """The suite leaves results, which nobody reads any more, but no task may be left in its queue."""
        queue = self.rabbitmq.queue("celery")
        if queue and queue.get("messages"):
            self.problems.append(f"{queue['messages']} messages are left in the queue")
        self.redis.command("FLUSHALL")


def is_as_expected(outcome, expected):
    return outcome == expected or outcome in GOOD or expected not in GOOD


def report(lanes, options):
    expected, left_out = suite.expected(options.backend), suite.left_out()
    outcomes = {test: outcome for lane in lanes for test, outcome in lane.outcomes.items()}
    reasons = {test: reason for lane in lanes for test, reason in lane.reasons.items()}
    problems = [problem for lane in lanes for problem in lane.problems]
    print()
    differences = 0
    for test, outcome in sorted(outcomes.items()):
        norm = expected.get(test, "passed")
        if is_as_expected(outcome, norm):
            continue
        differences += 1
        print(f"DIFFERENT: {test}: {outcome}, expected {norm}: {''.join(reasons.get(test, []))[:300]}")
    if not options.targets and not options.everything:
        missing = [test for test in expected if test not in outcomes and test not in left_out]
        problems += [f"not run: {test}" for test in missing]
    for problem in problems:
        print(f"PROBLEM: {problem}")
    for name in suite.FILES:
        mine = {test: outcome for test, outcome in outcomes.items() if f"/{name}.py" in test}
        if options.targets and not mine:
            continue
        passed = sum(outcome in GOOD for outcome in mine.values())
        failed = sum(outcome == "failed" for outcome in mine.values())
        others = len(mine) - passed - failed
        others += sum(f"/{name}.py" in test and test not in mine for test in left_out)
        print(f"{name:20} {passed:4} passed {failed:4} failed {others:4} not applicable")
    print(f"{differences} different from the expected outcomes, {len(problems)} problems")
    return 1 if differences or problems else 0


def built_worker(options):
    """The C worker, made as anybody would who has celeryc's package and not its sources."""
    folder = LOGS / options.name / "worker"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "own").mkdir(parents=True)
    sources = (ROOT / "tests" / "celery").glob("integration_*.[ch]")
    installed = Installation(folder / "installed", options.build)
    return installed.compile_copies(sources, folder / "own" / "integration-worker")


def targets_of(options):
    """The lanes: all files, or one with what was named."""
    if not options.targets:
        return [[f"t/integration/{name}.py" for name in names] for names in LANES]
    return [[target if target.startswith("t/") else f"t/integration/{target}" for target in options.targets]]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", action="store_true",
                        default=os.environ.get("REFERENCE", "") not in ("", "0"))
    parser.add_argument("--backend", choices=("redis", "rpc"),
                        default="rpc" if os.environ.get("BACKEND", "").startswith("rpc") else "redis")
    parser.add_argument("--build", default=os.environ.get("TEST_BUILD", str(ROOT / "build")))
    parser.add_argument("--concurrency", default="2", help="child processes of the worker")
    parser.add_argument("--timeout", default="60", help="seconds for one test")
    parser.add_argument("--everything", action="store_true", help="also the tests of left-out.tsv")
    parser.add_argument("--name", help="of the folder for logs; by the worker where not given")
    parser.add_argument("targets", nargs="*")
    options = parser.parse_args()
    options.name = options.name or f"{'reference' if options.reference else 'c'}-{options.backend}"
    options.source = suite.unpacked()
    program = None if options.reference else built_worker(options)
    lanes = [Lane(f"lane{number}", targets, options, program)
             for number, targets in enumerate(targets_of(options))]
    threads = [threading.Thread(target=lane.run) for lane in lanes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return report(lanes, options)


if __name__ == "__main__":
    sys.exit(main())
