"""docs/writing-tasks.md as a stranger follows it: celeryc is installed, the page's programs are compiled out of tree with
pkg-config and the page's Makefile, and the page's Python session is typed into Python."""

import doctest
import re

import pytest

from tests.harness.installation import Installation, run, sanitizers
from tests.harness.programs import ROOT, Program, environment
from tests.harness.workers import wait_for_worker

PAGE = ROOT / "docs" / "writing-tasks.md"


def blocks(language):
    """The fenced blocks of the page in a language, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    return Installation(tmp_path_factory.mktemp("installation"))


@pytest.fixture(scope="module")
def programs(installation, tmp_path_factory):
    """The folder where the page's two programs are compiled, with nothing of the source tree in sight."""
    folder = tmp_path_factory.mktemp("numbers")
    worker, client = blocks("c")
    (folder / "numbers.c").write_text(worker, encoding="utf-8")
    (folder / "ask.c").write_text(client, encoding="utf-8")
    (folder / "Makefile").write_text(blocks("make")[0], encoding="utf-8")
    flags = {"CFLAGS": " ".join(["-Werror", *sanitizers()]), "LDFLAGS": f"-Wl,-rpath,{installation.library.parent}"}
    run(["make", "-C", str(folder)], env={**installation.environment(), **flags})
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
    headers = sorted(installation.headers.glob("*.h"))
    assert headers
    for header in headers:
        source = tmp_path / "one.c"
        source.write_text(f"#include <celeryc/{header.name}>\nint nothing;\n", encoding="utf-8")
        run(["cc", "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only",
             f"-I{installation.headers.parent}", str(source)])
