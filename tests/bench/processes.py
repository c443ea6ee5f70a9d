"""What a process and all below it have used."""

import os
import pathlib

TICK = os.sysconf("SC_CLK_TCK")


def below(pid):
    """The process and all below it that live."""
    found = [pid]
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += below(int(child))
    return found


def memory(pid, kind="Pss"):
    """Their memory in MiB: Pss counts shared pages once, Rss for each process."""
    total = 0
    for one in below(pid):
        for line in pathlib.Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
            if line.startswith(f"{kind}:"):
                total += int(line.split()[1]) / 1024
    return total


def processor_seconds(pid):
    """In user mode and in the kernel, of those that live and of their children that were waited for."""
    total = 0
    for one in below(pid):
        fields = pathlib.Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()
        total += sum(int(field) for field in fields[11:15])  # utime, stime, cutime, cstime
    return total / TICK
