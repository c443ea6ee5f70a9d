"""The good Python way to merge objects: heapq.merge over streaming bodies into a multipart upload.

    stream_merge.py ENDPOINT SOURCE-BUCKET TARGET-BUCKET KEY

Prints the seconds from the first request to the last, without Python's start, and the peak memory in MiB."""

import heapq
import os
import sys
import time

import boto3
import botocore.config

PART = 8 << 20


def lines(body):
    """The lines of an object, read in pieces."""
    rest = b""
    for piece in body.iter_chunks(64 << 10):
        pieces = (rest + piece).split(b"\n")
        rest = pieces.pop()
        yield from pieces
    if rest:
        yield rest


def main():
    endpoint, source, target, key = sys.argv[1:]
    config = botocore.config.Config(max_pool_connections=1024)
    s3 = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", config=config)
    s3.head_bucket(Bucket=source)
    begin = time.perf_counter()
    keys = [entry["Key"] for page in s3.get_paginator("list_objects_v2").paginate(Bucket=source)
            for entry in page.get("Contents", [])]
    upload = s3.create_multipart_upload(Bucket=target, Key=key)["UploadId"]
    parts, buffer, size = [], [], 0

    def send():
        number = len(parts) + 1
        body = b"\n".join(buffer) + b"\n"
        part = s3.upload_part(Bucket=target, Key=key, UploadId=upload, PartNumber=number, Body=body)
        parts.append({"PartNumber": number, "ETag": part["ETag"]})

    for line in heapq.merge(*[lines(s3.get_object(Bucket=source, Key=one)["Body"]) for one in keys]):
        buffer.append(line)
        size += len(line) + 1
        if size >= PART:
            send()
            buffer, size = [], 0
    if buffer:
        send()
    s3.complete_multipart_upload(Bucket=target, Key=key, UploadId=upload, MultipartUpload={"Parts": parts})
    seconds = time.perf_counter() - begin
    with open("/proc/self/status", encoding="ascii") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    print(seconds, peak / 1024)
    sys.stdout.flush()
    os._exit(0)  # closing hundreds of connections is not the merge's


if __name__ == "__main__":
    main()
