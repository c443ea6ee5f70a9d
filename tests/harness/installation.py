"""celeryc as `meson install` leaves it, and programs that are compiled against that with nothing of the source
tree in sight: what pkg-config says is all they are told."""

import json
import os
import pathlib
import shlex
import shutil
import subprocess

from tests.harness.programs import BUILD


def run(command, timeout=500, **how):
    """What it says; fails with all of that when it does not end well."""
    command = [str(word) for word in command]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, timeout=timeout,
                          **how)
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


def sanitizers(build=BUILD):
    """Flags of the build that is installed: a program must be linked with the sanitizers that its library has."""
    options = (pathlib.Path(build) / "meson-info" / "intro-buildoptions.json").read_text(encoding="utf-8")
    for option in json.loads(options):
        if option["name"] == "b_sanitize" and option["value"] != "none":
            return [f"-fsanitize={option['value']}"]
    return []


class Installation:
    """A build directory, installed below a folder that stands for the root."""

    def __init__(self, folder, build=BUILD):
        self.folder, self.build = pathlib.Path(folder), build
        run(["meson", "install", "-C", build, "--no-rebuild", "--destdir", self.folder])
        self.library = next(self.folder.rglob("libceleryc.so"))
        self.headers = next(self.folder.rglob("celeryc/task.h")).parent

    def environment(self):
        """For pkg-config, called by whatever is started with it."""
        description = next(self.folder.rglob("celeryc.pc"))
        return {**os.environ, "PKG_CONFIG_PATH": str(description.parent),
                "PKG_CONFIG_SYSROOT_DIR": str(self.folder)}

    def pkg_config(self, *options):
        return shlex.split(run(["pkg-config", *options, "celeryc"], env=self.environment()))

    def compile_copies(self, files, program):
        """A program of C files, which are copied to where it will be. Strict about warnings. It finds the library
        where that was installed."""
        program = pathlib.Path(program)
        copies = [pathlib.Path(shutil.copy(file, program.parent)) for file in files]
        sources = [copy for copy in copies if copy.suffix == ".c"]
        flags = ["-std=gnu17", "-O1", "-g", "-Wall", "-Wextra", "-Werror", *sanitizers(self.build)]
        run(["cc", *flags, "-o", program, *sources, *self.pkg_config("--cflags", "--libs"),
             f"-Wl,-rpath,{self.library.parent}"])
        return program
