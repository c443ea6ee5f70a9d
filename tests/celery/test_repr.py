"""What celeryc shows of values is what Python shows: repr, saferepr, json.dumps, for thousands of random values."""

import json
import random
import struct
import subprocess
import sys

import pytest
from celery.utils.saferepr import saferepr

from tests.harness.programs import environment, program

CHARACTERS = ["a", "b", "z", " ", "  ", "'", '"', "\\", "\n", "\t", "\r", "\x01", "\x7f", "\x85", "\xa0", "\xad", "é",
              "ß", "日", "\u200b", "\u2028", "\ud7ff", "\ue000", "\ufeff", "\U0001f600", "\U000e0001", "0", ","]


def through_the_tool(mode, values, *arguments):
    """One answer for each value, from one run of the program."""
    lines = "".join(json.dumps(value) + "\n" for value in values)
    done = subprocess.run([program("message-tool"), mode, *map(str, arguments)], input=lines.encode(),
                          capture_output=True, env=environment(), timeout=300)
    assert done.returncode == 0, done.stderr.decode()
    answers = [json.loads(line) for line in done.stdout.decode().splitlines()]
    assert len(answers) == len(values)
    return answers


def random_text(numbers, most=40):
    return "".join(numbers.choice(CHARACTERS) for _ in range(numbers.randrange(most)))


def random_real(numbers):
    kind = numbers.randrange(6)
    if kind == 0:
        value = struct.unpack("<d", numbers.randbytes(8))[0]
        return value if value == value and abs(value) != float("inf") else 0.5
    if kind == 1:
        return 2.0 ** numbers.randrange(-1074, 1024)
    if kind == 2:
        return 10.0 ** numbers.randrange(-323, 309)
    if kind == 3:
        return numbers.randrange(10 ** 6) / 10 ** numbers.randrange(8)
    if kind == 4:
        return float(numbers.randrange(-10 ** 17, 10 ** 17))
    return numbers.choice([0.0, -0.0, 0.1, 1e16, 1e15, 1e-4, 1e-5, 5e-324, sys.float_info.max, sys.float_info.min])


def random_value(numbers, depth=0):
    kind = numbers.randrange(9 if depth < 6 else 6)
    if kind == 0:
        return numbers.choice([None, True, False])
    if kind == 1:
        return numbers.randrange(-2 ** 63, 2 ** 63)
    if kind == 2:
        return numbers.randrange(100)
    if kind == 3:
        return random_real(numbers)
    if kind in (4, 5):
        return random_text(numbers)
    if kind in (6, 7):
        return [random_value(numbers, depth + 1) for _ in range(numbers.randrange(5))]
    return {random_text(numbers, 8): random_value(numbers, depth + 1) for _ in range(numbers.randrange(5))}


def test_floats_are_printed_as_python_prints_them():
    numbers = random.Random(1)
    values = [random_real(numbers) for _ in range(20000)] + [2.0 ** n for n in range(-1074, 1024)]
    assert through_the_tool("real", values) == [repr(value) for value in values]


def test_strings_are_quoted_and_escaped_as_python_does():
    numbers = random.Random(2)
    values = [random_text(numbers) for _ in range(3000)]
    values += [chr(code) for code in range(0x3000) if not 0xd800 <= code < 0xe000]
    assert through_the_tool("string", values) == [repr(value) for value in values]


def test_every_character_is_printed_or_escaped_as_python_does():
    if sys.version_info[:2] != (3, 11):
        pytest.skip("the table of printable characters is that of Python 3.11")
    values = ["".join(chr(code) for code in range(start, start + 0x400) if not 0xd800 <= code < 0xe000)
              for start in range(0, 0x110000, 0x400)]
    assert through_the_tool("string", values) == [repr(value) for value in values]


def test_exceptions_are_shown_as_python_shows_them():
    values = [["ValueError", "x"], ["ValueError", "it's"], ["ValueError", 'both \' and "'], ["KeyError", "tab\there"]]
    expected = [repr(ValueError("x")), repr(ValueError("it's")), repr(ValueError('both \' and "')),
                repr(KeyError("tab\there"))]
    assert through_the_tool("exception", values) == expected
    assert through_the_tool("exception", [["package.module.Broken", "x"]]) == ["Broken('x')"]


@pytest.mark.parametrize("length", [0, 1, 2, 5, 10, 20, 40, 80, 200, 1024])
def test_values_are_cut_as_saferepr_cuts_them(length):
    numbers = random.Random(length)
    values = [random_value(numbers) for _ in range(600)]
    assert through_the_tool("repr", values, length) == [saferepr(value, length or None) for value in values]


@pytest.mark.parametrize("length", [0, 3, 30, 1024])
def test_arguments_are_shown_as_a_tuple(length):
    numbers = random.Random(100 + length)
    values = [[random_value(numbers, 2) for _ in range(numbers.randrange(5))] for _ in range(400)]
    assert through_the_tool("tuple", values, length) == [saferepr(tuple(value), length or None) for value in values]


def test_long_arguments_are_cut_at_1024_characters_not_bytes():
    values = [["é" * size] for size in (1000, 1022, 1023, 1024, 1025, 3000)] + [["ab " * 500], [["x"] * 600]]
    assert through_the_tool("tuple", values, 1024) == [saferepr(tuple(value), 1024) for value in values]


def test_json_is_written_as_json_dumps_writes_it():
    numbers = random.Random(3)
    values = [random_value(numbers) for _ in range(2000)]
    assert through_the_tool("dump", values) == [json.dumps(value) for value in values]
