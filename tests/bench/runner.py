"""usage: tests/bench/run [celery | operators | merge | s3 | api]...

All benchmarks in turn, or those named, each with its own figures; then one table of all ratios to the peers.
Some minutes each; best on a machine that does nothing else. One with options of its own:
.venv/bin/python tests/bench/celery --help"""

import os
import pathlib
import platform
import subprocess
import sys
import tempfile

from tests.bench import figures

HERE = pathlib.Path(__file__).resolve().parent
NAMES = ("celery", "operators", "merge", "s3", "api")


def main(names):
    if unknown := [name for name in names if name not in NAMES]:
        print(__doc__ if unknown[0] in ("-h", "--help") else f"no benchmark {unknown[0]}: {', '.join(NAMES)}")
        return 0 if unknown[0] in ("-h", "--help") else 2
    failed = []
    with tempfile.NamedTemporaryFile("r", prefix="bench-", encoding="utf-8") as kept:
        for name in names or NAMES:
            print(f"\n== {name}", flush=True)
            environment = {**os.environ, figures.ENVIRONMENT: kept.name}
            if subprocess.run([sys.executable, HERE / name], env=environment, check=False).returncode != 0:
                failed.append(name)
        lines = kept.read().splitlines()
    print(f"\n== all, medians of the rounds (least-most); {os.cpu_count()} processors, {platform.system()} "
          f"{platform.machine()}, load {os.getloadavg()[0]:.1f}")
    print("\n".join(figures.table(lines)))
    for name in failed:
        print(f"FAILED: {name}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
