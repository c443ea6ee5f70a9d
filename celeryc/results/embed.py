"""Turns Lua files into a C file that defines `const struct redis_script script_<name>` for each of them.

    embed.py OUTPUT.c FILE.lua...

The hash is computed here, so that no process needs to ask the server for it.
"""
import hashlib
import pathlib
import sys


def c_string(data):
    """The bytes as a C string literal, a line of source a line."""
    lines = data.decode('ascii').splitlines(keepends=True)
    return '\n'.join(
        '    "' + line.replace('\\', '\\\\').replace('"', '\\"').replace('\n', '\\n') + '"' for line in lines)


def main(output, *scripts):
    """Writes all scripts to `output`."""
    parts = ['#include "celeryc/results/scripts.h"\n']
    for script in map(pathlib.Path, scripts):
        data = script.read_bytes()
        parts.append(
            f'const struct redis_script script_{script.stem} = {{\n    .text =\n{c_string(data)},\n'
            f'    .size = {len(data)},\n    .sha = "{hashlib.sha1(data).hexdigest()}",\n}};\n')
    pathlib.Path(output).write_text('\n'.join(parts), encoding='ascii')


main(*sys.argv[1:])
