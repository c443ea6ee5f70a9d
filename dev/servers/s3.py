"""versitygw, an S3 server over a folder: a directory is a bucket, a file that is put in is an object."""

import os
import pathlib
import shutil
import urllib.error
import urllib.request

from dev.servers.ports import free_port
from dev.servers.process import Process, ServerError

ROOT = pathlib.Path(__file__).resolve().parents[2]


def program():
    """Where versitygw is: the project's own (dev/setup s3), else one on the PATH."""
    ours = ROOT / ".tools" / "bin" / "versitygw"
    found = str(ours) if ours.exists() else shutil.which("versitygw")
    if found is None:
        raise ServerError("versitygw is not installed: run dev/setup s3")
    return found


class VersityGW:
    def __init__(self, folder, data, port=None, access_key="minio", secret_key="minio123", host="127.0.0.1",
                 webui=None, stay=False):
        self.folder, self.data = pathlib.Path(folder), pathlib.Path(data)
        self.port, self.host, self.webui, self.stay = port or free_port(), host, webui, stay
        self.access_key, self.secret_key = access_key, secret_key
        self.process = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data.mkdir(parents=True, exist_ok=True)
        command = [program(), "--port", f"{self.host}:{self.port}", "--keep-alive", "--health", "/healthz"]
        if self.webui:
            command += ["--webui-s3-prefix", self.webui]
        command += ["posix", "--nometa"] if not self._has_xattrs() else ["posix"]
        self.process = Process(
            command + [self.data], self.folder / "versitygw.log", stay=self.stay,
            env={**os.environ, "ROOT_ACCESS_KEY": self.access_key, "ROOT_SECRET_KEY": self.secret_key}).start()
        self.process.wait_ready(self._is_ready, "versitygw")
        return self

    def _has_xattrs(self):
        """The posix backend keeps object metadata in extended attributes, where the file system has them."""
        probe = self.data / ".xattr-probe"
        try:
            probe.touch()
            os.setxattr(probe, "user.probe", b"1")
            return True
        except OSError:
            return False
        finally:
            probe.unlink(missing_ok=True)

    def _is_ready(self):
        with urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as answer:
            return answer.status == 200

    def stop(self):
        if self.process is not None:
            self.process.stop()
            self.process = None

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process = None

    def restart(self):
        self.process.stop()
        self.start()

    def pids(self):
        return [self.process.pid] if self.process is not None else []
