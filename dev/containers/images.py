"""The images that the compose files name: pulled where a registry answers, else stand-ins made from Debian's packages and
Go modules, with the same ports, users and paths. A stand-in has a name of its own (standin/...), so that no genuine image is
shadowed; the compose files take it through the variables of .env."""

import os
import pathlib
import shutil
import subprocess

from dev.containers.engine import ServerError
from dev.servers.s3 import program as versitygw_program

ROOT = pathlib.Path(__file__).resolve().parents[2]
STANDINS = ROOT / "dev" / "containers" / "standins"
MINIO = "github.com/minio/minio@latest"
MC = "github.com/minio/mc@latest"


def run(*command, **options):
    result = subprocess.run([str(word) for word in command], text=True, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **options)
    if result.returncode != 0:
        raise ServerError(f"{' '.join(map(str, command))} ended with {result.returncode}:\n{result.stdout[-4000:]}")
    return result.stdout


def exists(image):
    return subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False).returncode == 0


def can_pull(image):
    """Whether a registry gives the image within a minute or two."""
    if exists(image):
        return True
    try:
        return subprocess.run(["docker", "pull", "-q", image], capture_output=True, check=False,
                              timeout=180).returncode == 0
    except subprocess.TimeoutExpired:
        return False


class StandIns:
    def __init__(self, folder, say):
        self.folder, self.say = pathlib.Path(folder), say

    def base(self, tag="standin/debian:trixie-slim"):
        """Debian 13, as debootstrap makes it."""
        if exists(tag):
            return tag
        self.say("stand-in for debian:trixie-slim, by debootstrap (a minute or two)")
        root = self.folder / "trixie"
        shutil.rmtree(root, ignore_errors=True)
        run("debootstrap", "--variant=minbase", "--include=ca-certificates", "trixie", root,
            "http://deb.debian.org/debian")
        for path in ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc", "usr/share/man"):
            shutil.rmtree(root / path, ignore_errors=True)
            (root / path).mkdir(parents=True)
        # A machine behind a gateway that speaks TLS with authorities of its own: downloads in the build trust them too.
        authorities = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")
        if authorities.exists():
            shutil.copy(authorities, root / "etc/ssl/certs/ca-certificates.crt")
        run("sh", "-c", f"tar -C {root} -c . | docker import --change 'CMD [\"bash\"]' - {tag}")
        shutil.rmtree(root)
        return tag

    def build(self, name, tag, files=()):
        """An image from standins/<name>.Dockerfile, with further files in its context."""
        if exists(tag):
            return tag
        self.say(f"stand-in {tag}")
        context = self.folder / f"context-{name}"
        shutil.rmtree(context, ignore_errors=True)
        context.mkdir(parents=True)
        for path in STANDINS.glob(f"{name}*"):
            shutil.copy(path, context)
        for path in files:
            shutil.copy(path, context)
        run("docker", "build", "--network", "host", "--build-arg", f"BASE={self.base()}", "-f",
            context / f"{name}.Dockerfile", "-t", tag, context)
        return tag

    def go_program(self, module):
        """A program compiled by `go install`, kept in .tools/bin."""
        name = module.split("@")[0].rsplit("/", 1)[1]
        path = ROOT / ".tools" / "bin" / name
        if not path.exists():
            self.say(f"{name}, compiled from {module} (some minutes)")
            go = shutil.which("go") or str(ROOT / ".venv" / "bin" / "go")
            run(go, "install", module, env={**os.environ, "GOBIN": str(path.parent), "GOFLAGS": "-buildvcs=false",
                                            "CGO_ENABLED": "0"})
        return path

    def minio(self):
        return {
            "MINIO_IMAGE": self.build("minio", "standin/minio", [self.go_program(MINIO)]),
            "MC_IMAGE": self.build("mc", "standin/mc", [self.go_program(MC)]),
        }

    def servers(self):
        return {
            "BASE_IMAGE": self.base(),
            "PYTHON_IMAGE": self.build("python", "standin/python"),
            "RABBITMQ_IMAGE": self.build("rabbitmq", "standin/rabbitmq"),
            "REDIS_IMAGE": self.build("redis", "standin/redis"),
            "S3_IMAGE": self.build("versitygw", "standin/versitygw", [versitygw_program()]),
        }


def export_root(image, folder):
    """The image's files as a folder, to run a program of it in without a container (RABBITMQ_ROOT)."""
    folder = pathlib.Path(folder)
    if not (folder / "etc").exists():
        folder.mkdir(parents=True, exist_ok=True)
        container = run("docker", "create", image).strip().splitlines()[-1]
        try:
            run("sh", "-c", f"docker export {container} | tar -C {folder} -x")
        finally:
            run("docker", "rm", container)
        shutil.copy("/etc/hosts", folder / "etc" / "hosts")  # a container gets its own when it runs
    return folder


def defaults():
    """The variables of .env."""
    lines = (ROOT / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def image_variables(folder, say, minio=False):
    """What to set so that every image the compose files name can be had here; {} where a registry has them."""
    if can_pull(defaults()["REDIS_IMAGE"]):
        return {}
    standins = StandIns(folder, say)
    return {**standins.servers(), **(standins.minio() if minio else {})}
