"""Buckets over versitygw's folder: an object is put by writing a file, as the assignment's users do."""

import pathlib
import subprocess

import boto3


class Buckets:
    """A pair of buckets of one test: `logs` is read, `merged` is written."""

    def __init__(self, data, suffix):
        self.data = pathlib.Path(data)
        self.logs, self.merged = f"logs-{suffix}", f"merged-{suffix}"
        (self.data / self.logs).mkdir()

    def put(self, name, content):
        """Writes an object at once and whole, as `mv` into the folder does."""
        hidden = self.data / f".{self.logs}-{name.replace('/', '_')}"
        hidden.write_bytes(content)
        target = self.data / self.logs / name
        target.parent.mkdir(parents=True, exist_ok=True)
        hidden.rename(target)

    def merged_object(self, key):
        """What is stored under the key in `merged`, or None."""
        path = self.data / self.merged / key
        return path.read_bytes() if path.exists() else None


def _client(server):
    return boto3.client("s3", endpoint_url=server.url, region_name="us-east-1", aws_access_key_id=server.access_key,
                        aws_secret_access_key=server.secret_key)


def unfinished_uploads(server, bucket):
    """The multipart uploads of a bucket that are neither completed nor aborted."""
    return _client(server).list_multipart_uploads(Bucket=bucket).get("Uploads") or []


def uploaded_parts(server, bucket):
    """The parts of the bucket's unfinished uploads: who has sent one knows the id of its upload."""
    client, parts = _client(server), []
    for upload in unfinished_uploads(server, bucket):
        listed = client.list_parts(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
        parts += listed.get("Parts") or []
    return parts


def sorted_by_sort(*contents):
    """What `LC_ALL=C sort` makes of these files: the norm for every merge."""
    whole = b"".join(content if content.endswith(b"\n") or not content else content + b"\n" for content in contents)
    return subprocess.run(["sort"], input=whole, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}, check=True,
                          capture_output=True).stdout
