"""usage: tests/run [PATH | unit | unit/NAME | pytest option]...

Without arguments: the unit tests, then the black-box tests in three lanes beside each other (each has servers of its
own), then by themselves those marked `alone`. What failed beside others is run a second time, file by file; it is
counted by that, and named in the summary, so that a test that fails now and then is seen and mended.
With arguments only these: `tests/run tests/api`, `tests/run tests/celery -k retry`, `tests/run unit/clock`.
The last line is `N passed, N failed`; what was skipped is named before it. Logs: .state/tests/."""

import os
import pathlib
import re
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree

from dev.servers.process import die_with_parent

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOGS = ROOT / ".state" / "tests"
BUILD = os.environ.get("TEST_BUILD", str(ROOT / "build-test"))
APART = {"bench", "compose"}  # folders with a run of their own
OF_THE_WORKER = ("test_worker_", "test_control", "test_operators", "test_terminates")  # half of tests/celery
_printing = threading.Lock()


class Outcome:
    """What ran, by pytest's node ids; of what was skipped also why."""

    def __init__(self):
        self.passed, self.failed, self.skipped = [], [], []

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped


def say(text):
    with _printing:
        print(text, flush=True)


def unit_tests(names=()):
    """Meson's tests; one that did not end well counts as failed."""
    LOGS.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}
    run = subprocess.run(["meson", "test", "-C", BUILD, "--print-errorlogs", "--timeout-multiplier", "10", *names],
                         text=True, errors="replace", capture_output=True, env=environment, check=False)
    outcome = Outcome()
    for name, result in re.findall(r"^\s*\d+/\d+ (.+?)\s{1,}(OK|FAIL|TIMEOUT|ERROR|SKIP)\b", run.stdout, re.M):
        if result == "OK":
            outcome.passed.append(f"unit/{name}")
        elif result == "SKIP":
            outcome.skipped.append((f"unit/{name}", "skipped by meson"))
        else:
            outcome.failed.append(f"unit/{name}")
    if run.returncode != 0 and not outcome.failed:
        outcome.failed.append("unit tests (meson test)")
    if outcome.failed:
        say(run.stdout[-20000:] + run.stderr[-4000:])
    say(f"unit tests: {len(outcome.passed)} programs passed, {len(outcome.failed)} failed")
    return outcome


def read_report(path):
    outcome = Outcome()
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        file = case.get("file", "")
        classes = case.get("classname", "").removeprefix(file.removesuffix(".py").replace("/", ".")).split(".")
        node = "::".join([file, *filter(None, classes), case.get("name")])
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            if node not in outcome.failed:
                outcome.failed.append(node)
        elif skipped is not None:
            outcome.skipped.append((node, skipped.get("message", "")))
        else:
            outcome.passed.append(node)
    return outcome


def pytest_run(lane, arguments):
    """One pytest process with servers of its own; its lines appear as they come."""
    LOGS.mkdir(parents=True, exist_ok=True)
    report = LOGS / f"{lane}.xml"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-vv", f"--junitxml={report}", "-o", "junit_family=xunit1", *arguments]
    with open(LOGS / f"{lane}.log", "w", encoding="utf-8") as log:
        process = subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, errors="replace", preexec_fn=die_with_parent)
        for line in process.stdout:
            log.write(line)
            with _printing:
                print(line, end="", flush=True)
        code = process.wait()
    if not report.exists():
        outcome = Outcome()
        if code != 5:  # 5: nothing was selected
            outcome.failed.append(f"{lane}: pytest ended with {code} and no report")
        return outcome
    outcome = read_report(report)
    if code not in (0, 1, 5) or (code == 1 and not outcome.failed):
        outcome.failed.append(f"{lane}: pytest ended with {code}")
    return outcome


def lanes():
    """The files with black-box tests, in three groups that take about as long."""
    groups = {"library": [], "worker": [], "service": []}
    for path in sorted(ROOT.glob("tests/*/**/test_*.py")):
        file = path.relative_to(ROOT)
        if file.parts[1] in APART:
            continue
        lane = "service" if file.parts[1] != "celery" else "worker" if file.name.startswith(OF_THE_WORKER) else "library"
        groups[lane].append(str(file))
    return groups


def beside_each_other(groups):
    """One pytest process per group, all at once."""
    outcomes, threads = [], []
    for lane, files in groups.items():
        def work(lane=lane, files=files):
            outcomes.append(pytest_run(lane, ["-m", "not alone", *files]))
        threads.append(threading.Thread(target=work))
        threads[-1].start()
    for thread in threads:
        thread.join()
    return outcomes


def once_more(failed):
    """Runs these tests a second time, each file by itself; those that passed."""
    files, passed = {}, []
    for node in failed:
        file, separator, _ = node.partition("::")
        if separator or node.startswith("unit/"):
            files.setdefault(file, []).append(node)
    if not files or len(files) > 10:
        return []
    say(f"\n{len(failed)} failed; once more, each file by itself: {', '.join(files)}")
    for number, (file, nodes) in enumerate(files.items()):
        second = unit_tests([file[5:]]) if file.startswith("unit/") else pytest_run(f"second-{number}", nodes)
        passed += [node for node in nodes if node in second.passed and node not in second.failed]
    return passed


def everything():
    total, groups = Outcome(), lanes()
    total.add(unit_tests())
    for outcome in beside_each_other(groups):
        total.add(outcome)
    total.add(pytest_run("alone", ["-m", "alone", *(file for files in groups.values() for file in files)]))
    again = once_more(total.failed)
    total.passed += again
    total.failed = [node for node in total.failed if node not in again]
    return total, again


def report(total, again, began):
    say("")
    for node, reason in total.skipped:
        say(f"skipped: {node}: {reason}")
    for node in again:
        say(f"UNSTABLE: {node} failed beside others and passed by itself (.state/tests/ has both logs)")
    for node in total.failed:
        say(f"FAILED: {node}")
    say(f"in {time.monotonic() - began:.0f} s")
    say(f"{len(total.passed)} passed, {len(total.failed)} failed")
    return 1 if total.failed or not total.passed else 0


def main(arguments):
    began = time.monotonic()
    if arguments and arguments[0] in ("-h", "--help"):
        print(__doc__)
        return 0
    if not arguments:
        total, again = everything()
        return report(total, again, began)
    total = Outcome()
    units = [word for word in arguments if word == "unit" or word.startswith("unit/")]
    if units:
        total.add(unit_tests([word[5:] for word in units if word != "unit"]))
    others = [word for word in arguments if word not in units]
    if others:
        total.add(pytest_run("chosen", others))
    return report(total, [], began)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
