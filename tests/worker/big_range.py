"""A range of log files that is large enough to have a middle: several parts of a multipart upload."""

import random


def put_big_range(buckets, files=40, size=2**20, seed=11):
    """Puts files of about `size` bytes whose lines interleave; gives them back by name."""
    rng = random.Random(seed)
    made = {}
    for number in range(files):
        lines = sorted(b"%016x %s" % (rng.getrandbits(64), rng.randbytes(50).hex().encode())
                       for _ in range(size // 118))
        made[f"2019-08-18_{number}"] = b"\n".join(lines) + b"\n"
        buckets.put(f"2019-08-18_{number}", made[f"2019-08-18_{number}"])
    return made
