"""What the demo has running: a file that names every process, so that another command can end them."""

import json
import os
import pathlib
import signal
import time


def start_time(pid):
    """When the process began, in clock ticks since boot; with the pid it names one process for ever. None: no process."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat[stat.rindex(")") + 2:].split()
    return None if fields[0] == "Z" else int(fields[19])


class Running:
    """The list in `path`, written after each start, so that a demo that fails half way can be ended too."""

    def __init__(self, path):
        self.path = pathlib.Path(path)

    def read(self):
        try:
            return json.loads(self.path.read_text())
        except (OSError, ValueError):
            return []

    def add(self, name, pid, about=""):
        entries = [entry for entry in self.read() if entry["name"] != name]
        entries.append({"name": name, "pid": pid, "start": start_time(pid), "about": about})
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.with_suffix(".new").write_text(json.dumps(entries, indent=1))
        self.path.with_suffix(".new").replace(self.path)

    def alive(self):
        return [entry for entry in self.read() if start_time(entry["pid"]) == entry["start"] is not None]

    def stop(self, say):
        """Ends all in the reverse order of their start: asked first, forced after a while. Returns how many."""
        entries = self.alive()
        for entry in reversed(entries):
            say(f"stopping {entry['name']} ({entry['pid']})")
            self._end(entry)
        self.path.unlink(missing_ok=True)
        return len(entries)

    @staticmethod
    def _end(entry):
        def is_gone():
            return start_time(entry["pid"]) != entry["start"]

        for number, seconds in ((signal.SIGTERM, 30), (signal.SIGKILL, 10)):
            try:
                os.kill(entry["pid"], number)
            except ProcessLookupError:
                return
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                if is_gone():
                    return
                try:
                    os.waitpid(entry["pid"], os.WNOHANG)  # where it is a child of ours
                except OSError:
                    pass
                time.sleep(0.05)
