"""The peer of the benchmark of whole merges: the good Python way. boto3 streams every object, heapq.merge
merges the lines, a multipart upload takes the output in parts of 8 MiB, sent while the next is filled.

    heapq_merge.py ENDPOINT SOURCE_BUCKET MERGED_BUCKET START END KEY     prints {"seconds", "bytes", "peak"}
"""

import concurrent.futures
import heapq
import json
import resource
import sys
import time

import boto3
from botocore.config import Config

PART = 8 << 20


def client(endpoint):
    """An S3 client with a connection for each of 300 objects and some for the upload."""
    return boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="minio",
                        aws_secret_access_key="minio123",
                        config=Config(max_pool_connections=320, s3={"addressing_style": "path"}))


def keys(s3, bucket, start, end):
    """The keys in range, as the worker lists them."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, StartAfter=start):
        for entry in page.get("Contents", []):
            if entry["Key"][:10] > end:
                return
            yield entry["Key"]


def merge(s3, source, merged, start, end, key):
    """Merges and uploads; the number of bytes."""
    streams = [s3.get_object(Bucket=source, Key=name)["Body"].iter_lines(chunk_size=65536)
               for name in keys(s3, source, start, end)]
    upload = s3.create_multipart_upload(Bucket=merged, Key=key)["UploadId"]
    parts, total, buffer = [], 0, bytearray()

    def send(number, data):
        answer = s3.upload_part(Bucket=merged, Key=key, UploadId=upload, PartNumber=number, Body=data)
        return {"PartNumber": number, "ETag": answer["ETag"]}

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for line in heapq.merge(*streams):
            buffer += line
            buffer += b"\n"
            if len(buffer) >= PART:
                parts.append(pool.submit(send, len(parts) + 1, bytes(buffer)))
                total += len(buffer)
                buffer.clear()
                if len(parts) > 2:
                    parts[-3].result()
        parts.append(pool.submit(send, len(parts) + 1, bytes(buffer)))
        total += len(buffer)
        done = [part.result() for part in parts]
    s3.complete_multipart_upload(Bucket=merged, Key=key, UploadId=upload, MultipartUpload={"Parts": done})
    return total


def main():
    """Measures one merge; imports and start of the interpreter do not count."""
    endpoint, source, merged, start, end, key = sys.argv[1:]
    s3 = client(endpoint)
    began = time.perf_counter()
    total = merge(s3, source, merged, start, end, key)
    print(json.dumps({"seconds": time.perf_counter() - began, "bytes": total,
                      "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))


if __name__ == "__main__":
    main()
