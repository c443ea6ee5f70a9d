"""What the benchmarks measured, as one table: ours beside a peer's of the same run, medians of the rounds, and between
which values they lay. The ratio says how many times as fast ours is, or as small; its spread is that of the rounds, in
each of which both had the same machine."""

import json
import os
import statistics

ENVIRONMENT = "BENCH_FIGURES"  # names the file that figures are added to; unset: they are not kept


def add(what, ours, peer, theirs, unit):
    """One comparison: a value for each round. `unit` is "/s" (more is better), "s" or "MiB" (less is)."""
    if os.environ.get(ENVIRONMENT):
        with open(os.environ[ENVIRONMENT], "a", encoding="utf-8") as file:
            file.write(json.dumps({"what": what, "ours": ours, "peer": peer, "theirs": theirs, "unit": unit}) + "\n")


def _number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _spread(values, unit=""):
    return f"{_number(statistics.median(values))}{unit} ({_number(min(values))}-{_number(max(values))})"


def _ratios(row):
    pairs = zip(row["ours"], row["theirs"])
    return [ours / theirs if row["unit"] == "/s" else theirs / ours for ours, theirs in pairs]


def table(lines):
    """The lines of the table."""
    rows = [("", "ours", "peer", "", "times as good")]
    for line in lines:
        row = json.loads(line)
        rows.append((row["what"], _spread(row["ours"], row["unit"]), row["peer"],
                     _spread(row["theirs"], row["unit"]), _spread(_ratios(row))))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
