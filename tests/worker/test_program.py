"""The program logmerge-worker as an operator meets it: help, bad settings, secrets."""

import subprocess

import pytest

from tests.harness.programs import environment, program, sanitizer_report


def run(*options, **changes):
    """The program with these options and environment, ended: exit code and all it wrote."""
    done = subprocess.run([program("logmerge-worker"), *options], env=environment(**changes), text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=120, check=False)
    assert not sanitizer_report(done.stdout), done.stdout
    return done.returncode, done.stdout


def test_help_tells_what_it_does_and_lists_every_setting():
    code, text = run("--help")
    assert code == 0
    assert "merge_s3_files(start_date, end_date)" in text
    for word in ("--concurrency", "--s3-endpoint", "AWS_ENDPOINT_URL_S3", "--source-bucket",
                 "--merged-bucket", "--merge-memory", "--line-limit", "--s3-outage", "CELERY_BROKER_URL"):
        assert word in text


def test_help_shows_no_secret():
    code, text = run("--help", AWS_SECRET_ACCESS_KEY="a-secret-of-this-test")
    assert code == 0
    assert "a-secret-of-this-test" not in text


@pytest.mark.parametrize(("options", "told"), [
    (["--source-bucket", "No Bucket"], "--source-bucket"),
    (["--merged-bucket", "logs"], "--merged-bucket"),
    (["--s3-style", "sideways"], "--s3-style"),
    (["--s3-access-key", "only"], "--s3-secret-key"),
    (["--s3-endpoint", "ftp://x"], "ftp"),
    (["--s3-ca-file", "/no/such/file"], "/no/such/file"),
    (["--job-store", "nothing"], "--job-store"),
    (["--merge-memory", "1"], "--merge-memory"),
    (["--line-limit", "many"], "--line-limit"),
])
def test_a_setting_that_cannot_be_is_refused_by_name_before_anything_starts(options, told):
    code, text = run(*options)
    assert code in (1, 2)
    assert told in text


def test_secrets_appear_neither_in_the_log_nor_in_inspect_conf(merge_worker, app, merge, buckets):
    buckets.put("2019-08-18_1", b"a\n")
    worker = merge_worker("--loglevel", "DEBUG")
    merge()
    conf = app.control.inspect(destination=[worker.node], timeout=10).conf()
    assert "minio123" not in str(conf)
    assert "minio123" not in worker.log()
