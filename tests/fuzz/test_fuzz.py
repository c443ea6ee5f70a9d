"""What parses bytes of others takes any bytes: no crash, no sanitizer's report, no broken promise. The seeds of the random
changes are fixed, so a failure repeats; FUZZ_ROUNDS makes it last longer (100 times as long before a release)."""

import bz2
import json
import lzma
import os
import subprocess
import zlib

import pytest

from tests.harness.programs import environment, program

ROUNDS = int(os.environ.get("FUZZ_ROUNDS", "10000"))

BODY = json.dumps([[1, "zwei", 3.5, None, True, {"k": [1, 2]}], {"x": "\u00fc"}, {
    "callbacks": [{"task": "demo.add", "args": [3], "kwargs": {}, "options": {}, "subtask_type": None, "immutable": False}],
    "errbacks": None, "chain": [], "chord": {"task": "demo.tsum"}}])
HEADERS = {"lang": "py", "task": "demo.add", "id": "46001cc4-0755-4f52-a8a3-e99d98c2cb46", "shadow": None,
           "eta": "2026-11-24T01:02:21.792676+00:00", "expires": "2030-11-24T02:02:21+00:00", "group": None,
           "group_index": 1, "retries": 0, "timelimit": [10, 2.5], "root_id": "r", "parent_id": "p", "argsrepr": "(1, 2)",
           "kwargsrepr": "{}", "origin": "gen1@host", "ignore_result": False, "replaced_task_nesting": 0,
           "stamped_headers": ["tenant"], "stamps": {"tenant": "blue"}, "custom": {"deep": [[1]]}}
PROTOCOL_1 = {"task": "demo.add", "id": "i", "args": [1, 2], "kwargs": {}, "retries": 0, "eta": None, "expires": None,
              "utc": True, "callbacks": None, "errbacks": None, "timelimit": [None, None], "taskset": "g", "chord": None}

SEEDS = {
    "message": [json.dumps(HEADERS).encode() + b"\n" + BODY.encode(), b"\n" + json.dumps(PROTOCOL_1).encode(),
                b'{"task": "t"}\n' + json.dumps(PROTOCOL_1).encode(),
                b'{"task": "t", "id": "i", "compression": "gzip"}\n' + zlib.compress(BODY.encode()),
                b'{"task": "t", "id": "i"}\n[[NaN, 123456789012345678901], {"a": "\\ud800"}, {}]'],
    "json-reader": [BODY.encode(), b'["\\u00e9\\n\xc3\xa9\xf0\x9f\x98\x80", -1.5e-10, 0, [[[[]]]], {"a": {}}, NaN, 1e308]'],
    "request": [b'{"start_date": "2019-08-19", "end_date": "2019-08-25"}', b'{"start_date": 5, "x/~": [[]], "": null}',
                b'{"start_date": "2020-02-29", "end_date": "2019-02-29"}', b'[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]'],
    "conditions": [b'"abc-2"\nW/"abc-2", "x"\nSun, 06 Nov 1994 08:49:37 GMT\n\n"abc-2"\nbytes=0-99',
                   b'*\n*\nSunday, 06-Nov-94 08:49:37 GMT\nSun Nov  6 08:49:37 1994\n\nbytes=-5', b'\n\n\n\n\nbytes=500-'],
    "inflate": [b"\0" + zlib.compress(BODY.encode()), b"\0" + zlib.compress(b"x" * 50000, 9),
                b"\0" + zlib.compress(bytes(range(64)), 0), b"\1" + bz2.compress(BODY.encode()),
                b"\2" + lzma.compress(BODY.encode(), preset=0), b"\2" + lzma.compress(b"x" * 50000, lzma.FORMAT_ALONE, preset=0),
                b"\3\x28\xb5\x2f\xfd\x20\x05\x29\0\0hello", b"\4\x0b\x02\x80hello\x03"],
}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("target", SEEDS)
def test_a_parser_takes_any_bytes(target, seed, tmp_path):
    files = []
    for number, content in enumerate(SEEDS[target]):
        files.append(tmp_path / f"seed-{number}")
        files[-1].write_bytes(content)
    last = tmp_path / "input"
    done = subprocess.run([program(f"fuzz-{target}"), str(ROUNDS), str(seed), *map(str, files)], capture_output=True,
                          env=environment(FUZZ_INPUT=last), timeout=1800, check=False)
    assert done.returncode == 0, f"{last.read_bytes().rstrip(bytes(1))!r}\n{done.stderr.decode(errors='replace')[-5000:]}"
