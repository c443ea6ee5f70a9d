"""The merge engine over local files gives what `LC_ALL=C sort` gives, byte for byte."""

import random
import subprocess

import pytest

from tests.harness.buckets import sorted_by_sort
from tests.harness.programs import environment, program, sanitizer_report


def merge(folder, contents, *options):
    """Runs merge-files over files with these contents: the finished process."""
    names = folder / "names"
    paths = []
    for number, content in enumerate(contents):
        path = folder / f"input-{number:05}"
        path.write_bytes(content)
        paths.append(str(path))
    names.write_text("".join(path + "\n" for path in paths))
    done = subprocess.run([program("merge-files"), "--from", str(names), *options], capture_output=True,
                          env=environment(), timeout=600, check=False)
    report = sanitizer_report(done.stderr.decode(errors="replace"))
    assert not report, report
    return done


def lines_of(rng, count, make):
    """A sorted file of `count` lines that `make` gives."""
    return b"".join(line + b"\n" for line in sorted(make(rng) for _ in range(count)))


def shapes():
    """Name and contents of each set of inputs."""
    rng = random.Random(4)
    stamp = b"2019-08-17T12:34:%02d.%06d "

    def stamped(rng):
        return stamp % (rng.randrange(60), rng.randrange(10**6)) + rng.randbytes(8).hex().encode()

    def anything(rng):
        return rng.randbytes(rng.randrange(20)).replace(b"\n", b"\0")

    yield "no_files", []
    yield "one_file", [b"a\nb\n"]
    yield "empty_files", [b"", b"a\n", b"", b""]
    yield "the_assignments_set", [lines_of(rng, 500, stamped) for _ in range(15)]
    yield "hundreds_of_files", [lines_of(rng, rng.randrange(200), stamped) for _ in range(400)]
    yield "files_without_last_newline", [lines_of(rng, 50, stamped)[:-1] for _ in range(9)]
    yield "equal_lines", [b"same\n" * 1000, b"same\n" * 500, b"rest\nsame\n", b"same\nsamf"]
    yield "any_bytes", [lines_of(rng, 300, anything) for _ in range(40)]
    yield "carriage_returns_and_empty_lines", [b"\n\n\r\na\r\n", b"\n\r\r\na\nb\r"]
    yield "lines_of_a_mebibyte", [
        b"".join(bytes([letter]) * 2**20 + b"\n" for letter in range(97 + start, 123, 5))
        for start in range(5)]


@pytest.mark.parametrize(("name", "contents"),
                         [pytest.param(name, contents, id=name) for name, contents in shapes()])
def test_the_output_is_what_sort_gives(tmp_path, name, contents):
    done = merge(tmp_path, contents)
    assert done.returncode == 0, done.stderr
    assert done.stdout == sorted_by_sort(*contents), name


def test_a_thousand_files_within_memory_for_sixteen_windows_are_merged_in_several_passes(tmp_path):
    rng = random.Random(5)
    contents = [lines_of(rng, rng.randrange(30), lambda rng: rng.randbytes(5).hex().encode())
                for _ in range(1000)]
    done = merge(tmp_path, contents, "--memory", "64k")
    assert done.returncode == 0, done.stderr
    assert done.stdout == sorted_by_sort(*contents)


def test_ten_thousand_files_are_merged_within_the_default_memory(tmp_path):
    contents = [b"%08d\n%08d\n" % (number, number + 5000) for number in range(10000)]
    done = merge(tmp_path, contents)
    assert done.returncode == 0, done.stderr
    assert done.stdout == sorted_by_sort(*contents)


def test_an_unsorted_file_is_refused_by_name_line_and_reason(tmp_path):
    done = merge(tmp_path, [b"a\nb\n", b"a\nc\nb\n"])
    assert done.returncode == 1
    assert b"unsorted: " in done.stderr
    assert b"input-00001 is not sorted: line 3, \"b\", comes after \"c\"" in done.stderr


def test_a_line_over_the_limit_is_refused_by_name_and_offset(tmp_path):
    done = merge(tmp_path, [b"a\nbbbbbbbbbbbb\n"], "--line-limit", "10")
    assert done.returncode == 1
    assert b"input-00000: line 2, at byte 2, is longer than the limit of 10 bytes" in done.stderr
