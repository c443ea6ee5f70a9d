"""Celery's source distribution, which holds its integration suite, from PyPI into .tools/; and what is known of
the tests in it."""

import pathlib
import shutil
import subprocess
import sys
import tarfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = pathlib.Path(__file__).resolve().parent
VERSION = "5.7.0"
FILES = ["test_canvas", "test_tasks", "test_inspect", "test_group_chains", "test_redis_backend",
         "test_worker"]


def download(folder):
    """The archive, fetched once. Nothing in it is built: only its tests are wanted."""
    archive = folder / f"celery-{VERSION}.tar.gz"
    for _ in range(3):
        if archive.exists():
            break
        subprocess.run([sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--quiet",
                        "--no-deps", "--no-binary", "celery", "--dest", folder, f"celery=={VERSION}"],
                       check=False)
    if not archive.exists():
        raise SystemExit(f"conformance: pip could not download celery=={VERSION}")
    return archive


def unpacked():
    """The folder of the sources, without the package itself, so that the installed one is what is tested."""
    folder = ROOT / ".tools" / "celery-suite"
    source = folder / f"celery-{VERSION}"
    if not (source / "ready").exists():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(source, ignore_errors=True)
        with tarfile.open(download(folder)) as archive:
            archive.extractall(folder)
        (source / "celery").rename(source / "celery-of-the-archive")
        (source / "ready").touch()
    return source


def _table(name):
    lines = (FOLDER / name).read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if line and not line.startswith("#")]


def expected(backend):
    """What each test gives against the genuine worker in another process, by its id."""
    column = {"redis": 1, "rpc": 2}[backend]
    return {row[0]: row[column] for row in _table("expected.tsv")}


def left_out():
    """The tests that are not run, each with its reason."""
    return {row[0]: row[2] for row in _table("left-out.tsv")}


def slow():
    """Tests that wait longer than others, whatever the worker: their time limit in seconds."""
    return {row[0]: float(row[1]) for row in _table("slow.tsv")}
