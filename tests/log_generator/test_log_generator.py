"""The assignment's generator: its command line, names, order and refusals."""

import datetime
import pathlib
import re
import subprocess
import sys

import pytest

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "log-generator"


def generate(*arguments):
    return subprocess.run([sys.executable, "log-generator.py", *map(str, arguments)], cwd=FOLDER, text=True,
                          capture_output=True, check=False)


def test_the_assignments_command_line_makes_15_sorted_files_of_500_lines(tmp_path):
    run = generate("--path", tmp_path / "logs", "--days", 5, "--lines", 500, "--files", 3)
    assert run.returncode == 0, run.stderr
    files = sorted((tmp_path / "logs").iterdir())
    assert len(files) == 15
    for file in files:
        assert re.fullmatch(r"\d{4}-\d\d-\d\d_[1-3]", file.name)
        datetime.date.fromisoformat(file.name[:10])
        lines = file.read_bytes().splitlines(keepends=True)
        assert len(lines) == 500 and lines == sorted(lines) and lines[-1].endswith(b"\n")
    assert len({file.name[:10] for file in files}) == 5


def test_the_same_seed_and_start_make_the_same_files(tmp_path):
    for name in ("one", "two"):
        generate("--path", tmp_path / name, "--days", 2, "--seed", 7, "--start", "2019-08-17")
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()
    assert sorted(file.name for file in (tmp_path / "one").iterdir())[0] == "2019-08-17_1"


def test_files_without_lines_are_empty(tmp_path):
    assert generate("--path", tmp_path, "--lines", 0, "--days", 1, "--files", 1).returncode == 0
    assert [file.stat().st_size for file in tmp_path.iterdir()] == [0]


@pytest.mark.parametrize("arguments", [
    ["--days", "0"], ["--days", "x"], ["--lines", "-1"], ["--files", "0"], ["--start", "2019-02-29"],
    ["--start", "9999-12-31", "--days", "2"], ["--unknown"], ["stray"],
])
def test_bad_arguments_are_refused_and_nothing_is_written(tmp_path, arguments):
    run = generate("--path", tmp_path / "logs", *arguments)
    assert run.returncode == 2 and "error" in run.stderr
    assert not (tmp_path / "logs").exists()


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    run = generate("--path", tmp_path / "file" / "logs", "--days", 1)
    assert run.returncode == 1 and "cannot write into" in run.stderr
