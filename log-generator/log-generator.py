#!/usr/bin/env python3
"""Makes sorted log files to try the merge service with: one line an event, each file sorted by bytes, named
YYYY-MM-DD_N (the day, and a serial number from 1)."""

import argparse
import datetime
import os
import pathlib
import random
import sys

LEVELS = ["DEBUG", "INFO", "INFO", "INFO", "WARNING", "ERROR"]
SERVICES = ["accounts", "billing", "catalog", "gateway", "mailer", "orders", "search", "sessions"]
MESSAGES = [
    "request served in {n} ms", "connection from 10.0.{a}.{b} opened", "connection from 10.0.{a}.{b} closed",
    "cache missed for key item:{n}", "job {n} queued", "job {n} done", "user {n} signed in", "retrying, attempt {a}",
    "payload of {n} bytes received", "naïve clock skew of {a} ms corrected",
]
MILLISECONDS_A_DAY = 86_400_000


def bounded(low, high):
    """An argparse type: a whole number from low to high."""
    def parse(text):
        try:
            number = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(f"{number} is not from {low} to {high}")
        return number
    return parse


def day(text):
    try:
        return datetime.datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day like 2019-08-17") from None


def parse_arguments(words):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--path", type=pathlib.Path, default=pathlib.Path("../miniodata/logs"),
                        help="the folder to write into, made when missing (default: %(default)s)")
    parser.add_argument("--days", type=bounded(1, 36_500), default=5, help="how many days (default: %(default)s)")
    parser.add_argument("--lines", type=bounded(0, 10_000_000), default=500, help="lines a file (default: %(default)s)")
    parser.add_argument("--files", type=bounded(1, 100_000), default=3, help="files a day (default: %(default)s)")
    parser.add_argument("--start", type=day, default=None,
                        help="the first day, YYYY-MM-DD (default: so that the last day is today)")
    parser.add_argument("--seed", type=int, default=None, help="the same seed and start make the same files")
    options = parser.parse_args(words)
    if options.start is None:
        options.start = datetime.date.today() - datetime.timedelta(days=options.days - 1)
    try:
        options.start + datetime.timedelta(days=options.days - 1)
    except OverflowError:
        parser.error("the last day would be after the year 9999")
    return options


def make_line(rng, date):
    moment = rng.randrange(MILLISECONDS_A_DAY)
    seconds, milliseconds = divmod(moment, 1000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    message = rng.choice(MESSAGES).format(n=rng.randrange(1_000_000), a=rng.randrange(256), b=rng.randrange(256))
    return (f"{date.isoformat()}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z "
            f"{rng.choice(LEVELS):7} {rng.choice(SERVICES)}[{rng.randrange(100, 999)}]: {message}\n").encode()


def write_file(path, lines):
    """Whole or not at all, so that a merge that runs meanwhile reads no half file."""
    hidden = path.with_name(f".{path.name}.{os.getpid()}")
    hidden.write_bytes(b"".join(lines))
    hidden.replace(path)


def main(words=None):
    options = parse_arguments(words)
    rng = random.Random(options.seed)
    try:
        options.path.mkdir(parents=True, exist_ok=True)
        for number in range(options.days):
            date = options.start + datetime.timedelta(days=number)
            for serial in range(1, options.files + 1):
                lines = sorted(make_line(rng, date) for _ in range(options.lines))
                write_file(options.path / f"{date.isoformat()}_{serial}", lines)
    except OSError as error:
        print(f"log-generator: cannot write into {options.path}: {error}", file=sys.stderr)
        return 1
    last = options.start + datetime.timedelta(days=options.days - 1)
    print(f"{options.days * options.files} files of {options.lines} lines, {options.start} to {last}, in {options.path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
