"""The tables of settings in docs/operations.md, made of what the programs say with --help.

    python -m dev.settings_tables build     # writes them, from the programs in build/

A table stands between `<!-- settings: PROGRAM -->` and `<!-- end -->`. A test looks whether each row is true."""

import pathlib
import re
import subprocess
import sys

PAGE = pathlib.Path(__file__).resolve().parents[1] / "docs" / "operations.md"
TABLE = re.compile(r"(<!-- settings: (\S+) -->\n)(.*?)(<!-- end -->)", re.S)


def read_help(text):
    """The options of a --help: (option, variable, default, meaning) of each."""
    options = []
    for line in text.splitlines():
        heading = re.fullmatch(r"  (?:-(\w), |    )(--[\w-]+)(?: (\S+))?", line)
        if heading:
            letter, name, value = heading.groups()
            option = f"`{name}{' ' + value if value else ''}`" + (f", `-{letter}`" if letter else "")
            options.append([option, "", "", ""])
        elif options and line.startswith(" " * 10):
            kept = re.fullmatch(r"\s+\[(?:\$(\w+))?(?:, )?(?:default (.*))?\]", line)
            if kept:
                options[-1][1:3] = [f"`{word}`" if word else "" for word in kept.groups()]
            else:
                options[-1][3] = f"{options[-1][3]} {line.strip()}".strip()
    return [tuple(option) for option in options]


def table(text):
    """The same as a table in Markdown."""
    rows = [("option", "variable", "default", ""), ("---",) * 4, *read_help(text)]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |\n" for row in rows)


def page_with_tables(page, help_of):
    """The page with its tables made anew; help_of(program) is what the program says with --help."""
    return TABLE.sub(lambda found: found[1] + table(help_of(found[2])) + found[4], page)


def main(build):
    def help_of(program):
        path = next(path for path in pathlib.Path(build).rglob(program) if path.is_file())
        return subprocess.run([str(path), "--help"], capture_output=True, text=True, check=True).stdout

    PAGE.write_text(page_with_tables(PAGE.read_text(encoding="utf-8"), help_of), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
