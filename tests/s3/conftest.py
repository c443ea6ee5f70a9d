"""The s3-tool before a server or a proxy, and a bucket of the test's own."""

import itertools
import os
import re
import subprocess

import boto3
import botocore.config
import pytest

from tests.harness.programs import environment, program, sanitizer_report
from tests.s3.proxy import FaultProxy

_numbers = itertools.count(1)


class Tool:
    """Runs s3-tool; a sanitizer's report fails the test whatever the outcome."""

    def __init__(self, url, **variables):
        self.variables = {"AWS_ENDPOINT_URL_S3": url, "AWS_ACCESS_KEY_ID": "minio",
                          "AWS_SECRET_ACCESS_KEY": "minio123", **variables}

    def start(self, *words, **options):
        """The running tool, for tests that do something to it."""
        command = [program("s3-tool"), *map(str, words)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                env=environment(**self.variables), **options)

    def end(self, process, stdin=None):
        out, err = process.communicate(stdin, timeout=600)
        report = sanitizer_report(err.decode(errors="replace"))
        assert not report, report
        return Result(process.returncode, out, err.decode(errors="replace"))

    def run(self, *words, stdin=b""):
        return self.end(self.start(*words, stdin=subprocess.PIPE), stdin)

    def ok(self, *words, stdin=b""):
        """Its output; it must succeed."""
        done = self.run(*words, stdin=stdin)
        assert done.code == 0, done.err
        return done.out

    def fails(self, *words, stdin=b""):
        """(code, sentence); it must fail."""
        done = self.run(*words, stdin=stdin)
        return done.failure()


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def failure(self):
        assert self.code == 1, f"ended with {self.code}: {self.err}"
        code, _, sentence = self.err.strip().splitlines()[-1].partition(": ")
        return code, sentence

    def stats(self):
        found = re.search(r"requests=(\d+) retries=(\d+)", self.err)
        return int(found.group(1)), int(found.group(2))


@pytest.fixture
def tool(s3_server):
    return Tool(s3_server.url)


@pytest.fixture
def proxy(s3_server):
    with FaultProxy(s3_server.port) as one:
        yield one


@pytest.fixture
def through(proxy):
    """The tool, with the proxy between it and the server."""
    return Tool(proxy.url)


@pytest.fixture
def bucket(tool):
    name = f"s3-{os.getpid()}-{next(_numbers)}"
    tool.ok("make-bucket", name)
    return name


@pytest.fixture
def boto(s3_server):
    """The witness: S3 as boto3 sees it."""
    return witness(s3_server)


def witness(server):
    config = botocore.config.Config(retries={"max_attempts": 10}, s3={"addressing_style": "path"})
    return boto3.client("s3", endpoint_url=server.url, aws_access_key_id="minio",
                        aws_secret_access_key="minio123", region_name="us-east-1", config=config)


def unfinished(boto, bucket):
    """The ids of the uploads that were begun and neither completed nor aborted."""
    return [one["UploadId"] for one in boto.list_multipart_uploads(Bucket=bucket).get("Uploads", [])]
