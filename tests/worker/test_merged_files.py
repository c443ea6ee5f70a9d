"""The merged object is, byte for byte, what `LC_ALL=C sort` makes of the log files in the range of dates."""

import random

import pytest

from tests.harness.buckets import sorted_by_sort


def log_file(rng, lines, day=17):
    """A sorted file as the log generator makes them."""
    return b"".join(sorted(
        b"2019-08-%02dT%09.3f %s\n" % (day, rng.random() * 86400, rng.randbytes(20).hex().encode())
        for _ in range(lines)))


def any_lines(rng, lines):
    """A sorted file of lines of any bytes, NULs and invalid UTF-8 among them."""
    return b"".join(line + b"\n" for line in sorted(
        rng.randbytes(rng.randrange(30)).replace(b"\n", b"\0") for _ in range(lines)))


def shapes():
    """Name and files of each kind of range that must merge well."""
    rng = random.Random(7)
    yield "the_assignments_set", {f"2019-08-{day}_{number}": log_file(rng, 500, day)
                                  for day in range(17, 20) for number in range(1, 4)}
    yield "one_file", {"2019-08-18_1": log_file(rng, 100)}
    yield "files_without_last_newline", {f"2019-08-18_{n}": log_file(rng, 40)[:-1] for n in range(5)}
    yield "empty_files", {"2019-08-17_1": b"", "2019-08-18_1": b"a\nb\n", "2019-08-18_2": b"",
                          "2019-08-19_1": b"\n"}
    yield "only_empty_files", {"2019-08-17_1": b"", "2019-08-18_1": b""}
    yield "equal_lines", {f"2019-08-18_{n}": b"same\n" * 300 + b"samf\n" * n for n in range(8)}
    yield "lines_of_a_mebibyte", {
        f"2019-08-18_{n}": b"".join(bytes([letter]) * 2**20 + b"\n" for letter in range(97 + n, 105, 3))
        for n in range(3)}
    yield "any_bytes", {f"2019-08-18_{n}": any_lines(rng, 400) for n in range(20)}
    yield "numbers_of_many_digits", {f"2019-08-18_{n}": log_file(rng, 10)
                                     for n in (1, 10, 9, 100, 123456789012)}


@pytest.mark.parametrize(("name", "files"), [pytest.param(name, files, id=name) for name, files in shapes()])
def test_the_merged_object_is_what_sort_makes_of_the_files(merge_worker, merge, buckets, name, files):
    for key, content in files.items():
        buckets.put(key, content)
    merge_worker()
    result = merge()
    expected = sorted_by_sort(*files.values())
    assert buckets.merged_object(result["key"]) == expected, name
    assert result == {"bucket": buckets.merged, "key": result["key"], "bytes": len(expected),
                      "lines": expected.count(b"\n"), "files_total": len(files), "files_ignored": 0,
                      "start_date": "2019-08-17", "end_date": "2019-08-19", "seconds": result["seconds"]}


def test_hundreds_of_files_are_merged(merge_worker, merge, buckets):
    rng = random.Random(8)
    files = {f"2019-08-18_{number}": log_file(rng, 100) for number in range(400)}
    for key, content in files.items():
        buckets.put(key, content)
    merge_worker()
    assert buckets.merged_object(merge()["key"]) == sorted_by_sort(*files.values())


def test_more_keys_than_a_page_of_the_listing_has_are_all_found(merge_worker, merge, buckets):
    files = {f"2019-08-18_{number}": b"%05d\n" % number for number in range(2100)}
    for key, content in files.items():
        buckets.put(key, content)
    merge_worker()
    result = merge()
    assert result["files_total"] == 2100
    assert buckets.merged_object(result["key"]) == sorted_by_sort(*files.values())


def test_more_files_than_windows_fit_are_merged_in_several_passes(merge_worker, merge, buckets):
    rng = random.Random(9)
    files = {f"2019-08-18_{number}": log_file(rng, 20) for number in range(150)}
    for key, content in files.items():
        buckets.put(key, content)
    merge_worker("--merge-memory", "64k")
    assert buckets.merged_object(merge()["key"]) == sorted_by_sort(*files.values())


def test_a_range_without_files_gives_an_empty_object(merge_worker, merge, buckets):
    buckets.put("2019-08-20_1", b"later\n")
    merge_worker()
    result = merge()
    assert (result["bytes"], result["lines"], result["files_total"]) == (0, 0, 0)
    assert buckets.merged_object(result["key"]) == b""


def test_both_dates_are_inclusive_and_nothing_outside_of_them_is_merged(merge_worker, merge, buckets):
    for key in ("2019-08-16_9", "2019-08-17_1", "2019-08-18_1", "2019-08-19_99", "2019-08-20_1",
                "2018-08-18_1"):
        buckets.put(key, key.encode() + b"\n")
    merge_worker()
    result = merge()
    assert buckets.merged_object(result["key"]) == b"2019-08-17_1\n2019-08-18_1\n2019-08-19_99\n"
    one_day = merge("2019-08-18", "2019-08-18")
    assert buckets.merged_object(one_day["key"]) == b"2019-08-18_1\n"


def test_keys_that_are_no_log_names_are_ignored_and_counted(merge_worker, merge, buckets):
    ignored = ["2019-08-18", "2019-08-18_", "2019-08-18_x", "2019-08-18_1.gz", "2019-08-18-1",
               "2019-08-18_-1"]
    for key in [*ignored, "README", "notes/2019-08-18_1"]:
        buckets.put(key, b"not a log\n")
    buckets.put("2019-08-18_1", b"a log\n")
    merge_worker()
    result = merge()
    assert buckets.merged_object(result["key"]) == b"a log\n"
    assert (result["files_total"], result["files_ignored"]) == (1, len(ignored))


def test_dates_may_be_given_by_keyword_and_the_skeletons_name_of_the_task_works(merge_worker, app, buckets):
    buckets.put("2019-08-18_1", b"a\n")
    merge_worker()
    sent = app.send_task("asyncworker.tasks.merge_s3_files",
                         kwargs={"end_date": "2019-08-19", "start_date": "2019-08-17"})
    result = sent.get(timeout=180)
    assert result["key"] == sent.id
    assert buckets.merged_object(sent.id) == b"a\n"

