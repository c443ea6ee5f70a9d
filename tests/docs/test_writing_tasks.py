"""docs/writing-tasks.md as a stranger follows it: celeryc is installed, the page's programs are compiled out of tree with
pkg-config and the page's Makefile, and the page's Python session is typed into Python."""

import doctest
import json
import os
import re
import subprocess

import pytest

from tests.harness.programs import BUILD, ROOT, Program, environment
from tests.harness.workers import wait_for_worker

PAGE = ROOT / "docs" / "writing-tasks.md"


def blocks(language):
    """The fenced blocks of the page in a language, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)


def run(command, **how):
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, timeout=500, **how)
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


def sanitizers():
    """The flags of the build that is installed: a program must be linked with the sanitizers that its library has."""
    for option in json.loads((BUILD / "meson-info" / "intro-buildoptions.json").read_text(encoding="utf-8")):
        if option["name"] == "b_sanitize" and option["value"] != "none":
            return f"-fsanitize={option['value']}"
    return ""


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    """The build as `meson install` leaves it, below a folder that stands for the root."""
    folder = tmp_path_factory.mktemp("installation")
    run(["meson", "install", "-C", str(BUILD), "--no-rebuild", "--destdir", str(folder)])
    return folder


@pytest.fixture(scope="module")
def programs(installation, tmp_path_factory):
    """The folder where the page's two programs are compiled, with nothing of the source tree in sight."""
    folder = tmp_path_factory.mktemp("numbers")
    worker, client = blocks("c")
    (folder / "numbers.c").write_text(worker, encoding="utf-8")
    (folder / "ask.c").write_text(client, encoding="utf-8")
    (folder / "Makefile").write_text(blocks("make")[0], encoding="utf-8")
    description = next(installation.rglob("celeryc.pc"))
    run(["make", "-C", str(folder)], env={
        **os.environ, "PKG_CONFIG_PATH": str(description.parent), "PKG_CONFIG_SYSROOT_DIR": str(installation),
        "CFLAGS": f"-Werror {sanitizers()}", "LDFLAGS": f"-Wl,-rpath,{next(installation.rglob('libceleryc.so')).parent}"})
    return folder


@pytest.fixture
def numbers(programs, tmp_path, app, broker_url, redis_url):
    """The page's worker, running; ended in order after the test."""
    program = Program([programs / "numbers", "--loglevel", "INFO", "--concurrency", "2", "--hostname", "numbers@test"],
                      tmp_path / "numbers.log",
                      env=environment(CELERY_BROKER_URL=broker_url, CELERY_RESULT_BACKEND=redis_url))
    program.start()
    wait_for_worker(app, "numbers@test", program)
    yield program
    program.finish()


def test_the_python_session_of_the_page_says_what_the_page_says(numbers, broker_url, redis_url):
    session = blocks("python")[0]
    assert "amqp://localhost" in session and "redis://localhost" in session
    session = session.replace("amqp://localhost", broker_url).replace("redis://localhost", redis_url)
    test = doctest.DocTestParser().get_doctest(session, {}, PAGE.name, str(PAGE), 0)
    said = []
    results = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(
        test, out=said.append, clear_globs=False)
    test.globs["app"].close()
    assert results.attempted > 5 and results.failed == 0, "".join(said)


def test_the_client_of_the_page_asks_the_worker_of_the_page(numbers, programs, broker_url, redis_url):
    said = run([programs / "ask"], env=environment(CELERY_BROKER_URL=broker_url, CELERY_RESULT_BACKEND=redis_url))
    assert said == "SUCCESS: 42\n"
    assert f"$ ./ask\n    {said}" in PAGE.read_text(encoding="utf-8")


def test_the_worker_of_the_page_lists_its_options(programs):
    assert "--concurrency" in run([programs / "numbers", "--help"], env=environment())


def test_each_public_header_compiles_by_itself(installation, tmp_path):
    folder = next(installation.rglob("celeryc/task.h")).parent
    headers = sorted(folder.glob("*.h"))
    assert len(headers) == 5
    for header in headers:
        source = tmp_path / "one.c"
        source.write_text(f"#include <celeryc/{header.name}>\nint nothing;\n", encoding="utf-8")
        run(["cc", "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", f"-I{folder.parent}", str(source)])
