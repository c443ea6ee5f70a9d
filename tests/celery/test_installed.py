"""celeryc as other programs find it: installed, with nothing of the source tree in sight. What its headers
declare is what the library has, and workers are built with what pkg-config says and no more. The one with the
tasks of Celery's own integration suite is built here as tests/conformance builds it."""

import re
import shutil

import pytest
from celery import chain, chord, group, signature

from tests.harness.installation import Installation, run, sanitizers
from tests.harness.programs import ROOT, Program, environment
from tests.harness.workers import wait_for_worker

FOLDER = ROOT / "tests" / "celery"
HEADERS = ["canvas.h", "client.h", "store.h", "task.h", "worker.h"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    return Installation(tmp_path_factory.mktemp("installed"))


@pytest.fixture(scope="module")
def integration_worker(installed, tmp_path_factory):
    """Compiled in an empty folder."""
    return installed.compile_copies(FOLDER.glob("integration_*.[ch]"),
                                    tmp_path_factory.mktemp("integration") / "integration-worker")


@pytest.fixture(scope="module")
def settings_worker(installed, tmp_path_factory):
    return installed.compile_copies([FOLDER / "settings_worker.c"],
                                    tmp_path_factory.mktemp("settings") / "settings-worker")


@pytest.fixture
def start(tmp_path, app, broker_url, redis_url):
    """start(program, *options): a worker that is ready; ended in order after the test."""
    started = []

    def start_one(path, *options):
        node = f"{path.name}@test"
        program = Program([path, "--hostname", node, "--concurrency", "2", *options], tmp_path / "worker.log",
                          env=environment(CELERY_BROKER_URL=broker_url, CELERY_RESULT_BACKEND=redis_url))
        started.append(program)
        wait_for_worker(app, node, program.start())

    yield start_one
    for program in started:
        program.finish()


def declared(installed, tmp_path):
    """The functions that the installed headers declare, by the compiler's own list of them."""
    source, prototypes = tmp_path / "all.c", tmp_path / "prototypes"
    source.write_text("".join(f"#include <celeryc/{name}>\n" for name in HEADERS), encoding="utf-8")
    flags = installed.pkg_config("--cflags")
    run(["cc", "-std=gnu17", "-fsyntax-only", "-aux-info", prototypes, *flags, source])
    lines = prototypes.read_text(encoding="utf-8").splitlines()
    own = [line for line in lines if line.startswith(f"/* {installed.folder}/")]
    return {re.search(r"(\w+) \(", line.split("*/", 1)[1])[1] for line in own}


def test_the_library_has_what_its_headers_declare_and_shows_nothing_else(installed, tmp_path):
    shown = {line.split()[-1] for line in run(["nm", "-D", "--defined-only", installed.library]).splitlines()}
    assert shown == declared(installed, tmp_path)
    assert "celery_worker_main" in shown


def test_the_public_headers_are_these(installed):
    assert sorted(path.name for path in installed.headers.glob("*.h")) == HEADERS


def test_pkg_config_asks_for_jansson_alone(installed):
    """The other libraries are the library's own affair: a program need not have their headers."""
    description = next(installed.folder.rglob("celeryc.pc")).read_text(encoding="utf-8")
    assert re.search(r"^Requires: jansson\b", description, re.M)
    libraries = [flag for flag in installed.pkg_config("--libs") if flag.startswith("-l")]
    assert sorted(libraries) == ["-lceleryc", "-ljansson"]


def test_the_name_in_programs_changes_with_what_breaks_them_only(installed):
    """libceleryc.so -> libceleryc.so.0 -> libceleryc.so.VERSION; the linker takes the middle one's name."""
    version = installed.pkg_config("--modversion")[0]
    assert re.search(r"SONAME.*\[libceleryc\.so\.0\]", run(["readelf", "-d", installed.library]))
    assert installed.library.resolve().name == f"libceleryc.so.{version}"
    assert (installed.library.parent / "libceleryc.so.0").resolve() == installed.library.resolve()


@pytest.mark.parametrize("source", sorted(FOLDER.glob("*_worker.c")), ids=lambda path: path.name)
def test_the_workers_of_the_tests_need_the_public_headers_alone(installed, source, tmp_path):
    copy = shutil.copy(source, tmp_path)
    if source.name.startswith("integration"):
        shutil.copy(FOLDER / "integration_tasks.h", tmp_path)
    run(["cc", "-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-fsyntax-only",
         *installed.pkg_config("--cflags"), copy])


def test_the_worker_of_celerys_suite_runs_canvases(integration_worker, start, app):
    start(integration_worker)

    def add(*args):
        return signature("t.integration.tasks.add", args, app=app)

    assert add(40, 2).delay().get(timeout=60) == 42
    assert chain(add(1, 2), add(4), app=app).delay().get(timeout=60) == 7
    both, tsum = group([add(1, 1), add(2, 2)], app=app), signature("t.integration.tasks.tsum", app=app)
    assert chord(both, tsum, app=app).delay().get(timeout=60) == 6


def test_a_worker_may_have_options_of_its_own(settings_worker, start, app):
    start(settings_worker, "--helpers", "3")
    assert app.send_task("demo.helpers").get(timeout=60) == 3
    said = run([settings_worker, "--help"], env=environment())
    assert "--helpers N" in said and "$DEMO_HELPERS" in said


def test_a_worker_may_refuse_to_start_in_its_own_words(settings_worker, tmp_path):
    program = Program([settings_worker, "--helpers", "7"], tmp_path / "log", env=environment()).start()
    assert program.wait(60) != 0
    assert "demo: 7 helpers are one too many" in program.log()


PROGRAM_IN_CPP = """
static json_t *answer(celery_task *, json_t *, json_t *) { return json_integer(42); }

int main(int argc, char **argv)
{
    static celery_task_type tasks[2] = {};
    tasks[0].name = "demo.answer";
    tasks[0].run = answer;
    celery_worker_program program = {};
    program.app = "demo";
    program.version = "1.2";
    program.tasks = tasks;
    return celery_worker_main(argc, argv, &program);
}
"""


def test_a_worker_may_be_written_in_cpp(installed, tmp_path, start, app):
    source, worker = tmp_path / "worker.cc", tmp_path / "cpp-worker"
    includes = "".join(f"#include <celeryc/{name}>\n" for name in HEADERS)
    source.write_text(includes + PROGRAM_IN_CPP, encoding="utf-8")
    flags = ["-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Werror", *sanitizers(installed.build)]
    run(["c++", *flags, "-o", worker, source, *installed.pkg_config("--cflags", "--libs"),
         f"-Wl,-rpath,{installed.library.parent}"])
    start(worker)
    assert app.send_task("demo.answer").get(timeout=60) == 42


# ---- manual pages ----

@pytest.mark.parametrize("name", ["logmerge-worker", "logmerge-api"])
def test_manual_pages_are_well_formed_and_name_all_that_help_does(installed, name):
    page = next(installed.folder.rglob(f"man1/{name}.1"))
    run(["mandoc", "-Tlint", "-Wwarning", page])
    shown = re.sub(".\b", "", run(["mandoc", "-Tutf8", "-Owidth=1000", page]))
    said = run([next(installed.folder.rglob(f"bin/{name}")), "--help"], env=environment())
    options = re.findall(r"^  (?:-\w, |    )(--[a-z0-9-]+)", said, re.M)
    variables = re.findall(r"^ +\[\$(\w+)", said, re.M)
    assert len(options) > 20 and len(variables) > 20
    for option in options:
        assert re.search(rf"^ +(-\w, )?{option}( |$)", shown, re.M), option
    for variable in variables:
        assert re.search(rf"^ +{variable}( |$)", shown, re.M), variable
    for title in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "ENVIRONMENT", "SIGNALS", "EXIT STATUS"):
        assert re.search(rf"^{title}$", shown, re.M)
