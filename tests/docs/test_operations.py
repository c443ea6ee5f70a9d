"""docs/operations.md says of the settings what the programs say, and of signals and exit codes what they do."""

import re
import signal
import subprocess

import pytest

from dev.settings_tables import PAGE, TABLE, read_help
from tests.harness.programs import ROOT, Program, environment, program


def help_of(name):
    return subprocess.run([program(name), "--help"], capture_output=True, text=True, check=True, timeout=120,
                          env=environment()).stdout


def test_the_tables_of_settings_say_what_the_programs_say():
    tables = {name: text for _, name, text, _ in TABLE.findall(PAGE.read_text(encoding="utf-8"))}
    assert set(tables) == {"logmerge-worker", "logmerge-api"}
    for name, text in tables.items():
        theirs = {row[:3] for row in read_help(help_of(name))}
        ours = {tuple(cell.strip() for cell in line.split(" | ")[:3]) for line in text.replace("\n| ", "\n").splitlines()}
        wrong = {row for row in ours if row[0].startswith("`")} - theirs
        assert not wrong, f"{name} does not have {wrong}: make build, then python -m dev.settings_tables build"
        assert len(ours) > 20


@pytest.mark.parametrize("name", ["logmerge-worker", "logmerge-api"])
def test_every_option_of_the_help_is_understood(name):
    text = help_of(name)
    options = read_help(text)
    assert len(options) == len(re.findall(r"^  (?:-\w, |    )--", text, re.M)) > 20
    assert all(meaning for _, _, _, meaning in options)


def test_the_pages_name_only_options_that_there_are():
    known = {word for name in ("logmerge-worker", "logmerge-api") for option, *_ in read_help(help_of(name))
             for word in re.findall(r"--[\w-]+", option)}
    for page in ("operations.md", "production.md", "api.md"):
        named = set(re.findall(r"`(--[\w-]+)", (ROOT / "docs" / page).read_text(encoding="utf-8")))
        assert named <= known, f"{page}: {named - known}"


@pytest.mark.parametrize("name", ["logmerge-worker", "logmerge-api"])
def test_bad_usage_ends_with_2_and_a_line_that_names_the_option(name):
    done = subprocess.run([program(name), "--no-such-option"], capture_output=True, text=True, check=False, timeout=120,
                          env=environment())
    assert done.returncode == 2 and "--no-such-option" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_sentinels_are_refused_with_a_word_on_what_to_do():
    done = subprocess.run([program("logmerge-worker")], capture_output=True, text=True, check=False, timeout=120,
                          env=environment(CELERY_RESULT_BACKEND="sentinel://a:26379;sentinel://b:26379"))
    assert done.returncode == 2 and "sentinel://" in done.stderr and "name the master" in done.stderr


def test_the_api_ends_with_0_on_a_signal(tmp_path, broker_url, redis_url):
    api = Program([program("logmerge-api"), "--port", "0", "--address", "127.0.0.1"], tmp_path / "api.log",
                  env=environment(CELERY_BROKER_URL=broker_url, CELERY_RESULT_BACKEND=redis_url,
                                  AWS_ENDPOINT_URL_S3="http://127.0.0.1:9"))
    api.start()
    api.wait_ready(lambda: "listening on" in api.log(), "the API")
    assert api.finish(signal.SIGTERM) == 0
