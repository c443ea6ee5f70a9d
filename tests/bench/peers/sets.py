"""The inputs of tests/bench/s3: 300 sorted files, named as the assignment has it, 12,000 lines each."""

import datetime
import random

FILES = 300
LINES = 12_000
FIRST_DAY = datetime.date(2019, 3, 1)


def name_of(number):
    return f"{FIRST_DAY + datetime.timedelta(days=number // 3)}_{number % 3 + 1}"


def timestamp_lines(rng, number):
    """A third of one day's events."""
    day = datetime.datetime.combine(FIRST_DAY + datetime.timedelta(days=number // 3), datetime.time())
    for moment in sorted(rng.random() * 86400 for _ in range(LINES)):
        when = (day + datetime.timedelta(seconds=moment)).isoformat(timespec="microseconds")
        yield (f"{when}Z INFO host-{rng.randrange(40):02} request {rng.getrandbits(48):012x} "
               f"took {rng.randrange(5000):4} ms status 200").encode()


def random_lines(rng, number):
    """Lines over the whole key space, whatever the day."""
    del number
    return [rng.randbytes(28).hex().encode()[:rng.randrange(50, 57)] for _ in range(LINES)]


SETS = {"ts-lines": timestamp_lines, "rnd-lines": random_lines}


def make_set(folder, name, files):
    """Writes `files` files of the set into the folder, which is a bucket."""
    folder.mkdir(parents=True)
    rng = random.Random(name)
    for number in range(files):
        (folder / name_of(number)).write_bytes(b"\n".join(sorted(SETS[name](rng, number))) + b"\n")
