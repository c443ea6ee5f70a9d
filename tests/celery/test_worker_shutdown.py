"""What a worker that stops leaves to others, its files and processes, and how it is started and started anew.
What each way to stop does to each kind of task: test_shutdown_side_by_side.py."""

import os
import pathlib
import shutil
import signal
import subprocess

import pytest

from dev.servers.process import wait_for
from tests.celery.worker_tool import lines
from tests.harness.programs import Program, environment, program
from tests.harness.workers import wait_for_worker

TIMEOUT = 120


def started(path, count=1):
    """Until so many runs of demo.append have begun."""
    wait_for(lambda: len(lines(path)) >= count, f"{count} runs have begun", TIMEOUT)


def test_a_warm_shutdown_gives_back_what_has_not_begun(worker, app, tmp_path):
    one = worker("--concurrency", 1, "--prefetch-multiplier", 8)
    runs = str(tmp_path / "runs")
    results = [app.send_task("demo.append", (runs, f"{number}", 3)) for number in range(5)]
    later = app.send_task("demo.add", (1, 2), countdown=1)
    started(runs)
    assert one.finish() == 0
    begun = len(lines(runs))
    assert begun < 5
    worker("--concurrency", 5)
    assert sorted(result.get(timeout=TIMEOUT) for result in results) == ["0", "1", "2", "3", "4"]
    assert later.get(timeout=TIMEOUT) == 3
    assert len(lines(runs)) == 5


def test_no_process_is_left_of_a_killed_worker(worker, app, tmp_path):
    one = worker("--concurrency", 2)
    pids = [app.send_task("demo.pid").get(timeout=TIMEOUT) for _ in range(4)]
    os.kill(one.pid, signal.SIGKILL)
    one.process.wait()

    def gone(pid):
        try:
            return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except FileNotFoundError:
            return True

    wait_for(lambda: all(gone(pid) for pid in pids), "all children are gone", TIMEOUT)


def test_a_pid_file_is_written_kept_and_removed(worker, tmp_path, broker_url, redis_url):
    path = tmp_path / "worker.pid"
    one = worker("--pidfile", path)
    assert int(path.read_text()) == one.pid
    settings = environment(CELERY_BROKER_URL=broker_url, CELERY_RESULT_BACKEND=redis_url)
    second = subprocess.run([program("tasks-worker"), "--pidfile", str(path)], capture_output=True, text=True,
                            timeout=120, env=settings, check=False)
    assert second.returncode == 1 and str(path) in second.stderr
    one.finish()
    assert not path.exists()


@pytest.mark.parametrize("words", ["a letter", "12 letters", "1" * 100])
def test_a_file_that_holds_no_process_id_is_not_taken_for_a_pid_file(tmp_path, broker_url, redis_url, words):
    path = tmp_path / "letter"
    path.write_text(words)
    settings = environment(CELERY_BROKER_URL=broker_url, CELERY_RESULT_BACKEND=redis_url)
    ended = subprocess.run([program("tasks-worker"), "--pidfile", str(path)], capture_output=True, text=True,
                           timeout=120, env=settings, check=False)
    assert ended.returncode == 1 and str(path) in ended.stderr
    assert path.read_text() == words


def test_a_state_that_could_not_be_kept_is_told_at_the_start(tmp_path, broker_url, redis_url):
    path = tmp_path / "no folder" / "state"
    settings = environment(CELERY_BROKER_URL=broker_url, CELERY_RESULT_BACKEND=redis_url)
    ended = subprocess.run([program("tasks-worker"), "--statedb", str(path)], capture_output=True, text=True,
                           timeout=120, env=settings, check=False)
    assert ended.returncode == 1 and str(path) in ended.stderr


@pytest.mark.parametrize("words, code, said", [
    (["--help"], 0, "--concurrency"), (["--version"], 0, "1.0"),
    (["--no-such-option"], 2, "--no-such-option"),
    (["--concurrency", "many"], 2, "--concurrency"), (["--broker", "http://x"], 2, "--broker")])
def test_the_command_line_answers(words, code, said):
    ended = subprocess.run([program("tasks-worker"), *words], capture_output=True, text=True, timeout=120,
                           env=environment(), check=False)
    assert ended.returncode == code
    assert said in ended.stdout + ended.stderr


def test_the_banner_names_queues_and_tasks_and_no_password(worker, broker_url):
    one = worker("--loglevel", "INFO", "--queues", "one,two")
    log = one.log()
    assert "[queues]" in log and "exchange=one(direct) key=one" in log and ". demo.add" in log
    assert "guest:guest" not in log


def test_hup_runs_the_program_again_with_the_same_options(worker, app):
    one = worker("--loglevel", "INFO", "--concurrency", 3)
    one.process.send_signal(signal.SIGHUP)
    wait_for(lambda: one.log().count("ready.") == 2, "it is ready again", TIMEOUT)
    assert app.send_task("demo.add", (1, 2)).get(timeout=TIMEOUT) == 3
    stats = app.control.inspect(destination=[one.node], timeout=TIMEOUT, limit=1).stats()
    assert stats[one.node]["pool"]["max-concurrency"] == 3 and stats[one.node]["pid"] == one.pid


@pytest.fixture
def copied(app, tmp_path, broker_url, redis_url):
    """A worker whose program is a copy at tmp_path/program."""
    path = tmp_path / "program"
    shutil.copy(program("tasks-worker"), path)
    one = Program([str(path), "--hostname", "copied@test", "--loglevel", "INFO"], tmp_path / "log",
                  env=environment(CELERY_BROKER_URL=broker_url, CELERY_RESULT_BACKEND=redis_url)).start()
    wait_for_worker(app, "copied@test", one)
    yield one
    try:
        one.finish()
    finally:
        one.kill()


def restart_by_hup(one, app):
    one.send_signal(signal.SIGHUP)
    wait_for(lambda: one.log().count("ready.") == 2, "it is ready again", TIMEOUT)
    assert app.send_task("demo.add", (1, 2)).get(timeout=TIMEOUT) == 3


def test_hup_runs_the_program_that_lies_at_its_path_by_then(copied, app, tmp_path):
    newer = tmp_path / "newer"
    newer.write_text(f"#!/bin/sh\necho the newer program\nexec {program('tasks-worker')} \"$@\"\n")
    newer.chmod(0o755)
    newer.rename(tmp_path / "program")
    restart_by_hup(copied, app)
    assert "the newer program" in copied.log()


def test_hup_runs_what_ran_where_there_is_no_program_at_its_path(copied, app, tmp_path):
    (tmp_path / "program").unlink()
    restart_by_hup(copied, app)
