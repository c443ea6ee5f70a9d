"""One merge as a caller of the REST API makes it: POST, poll, download; and a check of the bytes."""

import heapq
import json
import os
import pathlib
import re
import time
import urllib.error
import urllib.request


class Problem(Exception):
    """Something the user of the demo can act on."""


def log_days(folder):
    """The days that have log files, sorted."""
    names = (path.name for path in pathlib.Path(folder).iterdir())
    return sorted({name[:10] for name in names if re.fullmatch(r"\d{4}-\d\d-\d\d_\d+", name)})


def call(url, body=None):
    """(status, decoded JSON or None, the open answer); the caller reads a body that is not JSON."""
    request = urllib.request.Request(url, data=None if body is None else json.dumps(body).encode(),
                                     headers={"Content-Type": "application/json"} if body is not None else {})
    try:
        answer = urllib.request.urlopen(request, timeout=60)
    except urllib.error.HTTPError as error:
        answer = error
    decoded = json.loads(answer.read()) if "json" in (answer.headers.get("Content-Type") or "") else None
    return answer.status, decoded, answer


def follow(url, say, timeout=600):
    """Polls the download until it is there, showing progress as it changes; the open answer."""
    deadline, shown = time.monotonic() + timeout, None
    while time.monotonic() < deadline:
        status, body, answer = call(url)
        if status == 200:
            return answer
        if status != 202:
            raise Problem(f"GET {url} answered {status}: {json.dumps(body)}")
        progress = body.get("progress") or {}
        line = f"{body.get('state')}: {progress.get('percent') or 0:.0f} % ({progress.get('files_done') or 0} of " \
               f"{progress.get('files_total') or '?'} files)"
        if line != shown:
            say(line)
            shown = line
        time.sleep(0.2)
    raise Problem(f"the merge is not done after {timeout} s: GET {url} still answers 202")


def same_as_sorted_union(path, inputs):
    """Whether the file is the sorted union of the inputs, compared line by line, without holding either."""
    files = [open(name, "rb") for name in inputs]
    try:
        with open(path, "rb") as merged:
            for line in heapq.merge(*files):
                if merged.readline() != (line if line.endswith(b"\n") else line + b"\n"):
                    return False
            return merged.read(1) == b""
    finally:
        for file in files:
            file.close()


def merge_and_check(api_url, logs, folder, say):
    days = log_days(logs)
    if not days:
        raise Problem(f"no log files named YYYY-MM-DD_N in {logs}")
    first, last = days[0], days[min(len(days), 5) - 1]
    say(f"POST {api_url}/initiate {{\"start_date\": \"{first}\", \"end_date\": \"{last}\"}}")
    status, body, _ = call(f"{api_url}/initiate", {"start_date": first, "end_date": last})
    if status != 202:
        raise Problem(f"POST /initiate answered {status}: {json.dumps(body)}")
    download_id = body["download_id"]
    say(f"{status}, download_id {download_id}")
    answer = follow(f"{api_url}/download/{download_id}", say)
    target = pathlib.Path(folder) / f"merged_{first}_{last}.log"
    with open(target, "wb") as file:
        while True:
            block = answer.read(1 << 20)
            if not block:
                break
            file.write(block)
    inputs = [path for path in sorted(pathlib.Path(logs).iterdir())
              if re.fullmatch(r"\d{4}-\d\d-\d\d_\d+", path.name) and first <= path.name[:10] <= last]
    if not same_as_sorted_union(target, inputs):
        raise Problem(f"{target} is NOT the sorted union of the {len(inputs)} files")
    say(f"{os.path.relpath(target)}: {target.stat().st_size} bytes, the sorted union of {len(inputs)} files")
