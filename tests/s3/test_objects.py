"""What the S3 client promises about objects, lists and buckets, on a real server, with boto3 as witness."""

import hashlib
import random
import urllib.error
import urllib.request

import pytest

from tests.s3.conftest import Tool, unfinished

MIB = 1 << 20


def content_of(size, seed=1):
    return random.Random(seed).randbytes(size)


@pytest.mark.parametrize("size", [0, 1, 100_000, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 25 * MIB])
def test_what_is_uploaded_is_what_anyone_reads(tool, boto, bucket, size):
    content = content_of(size)
    written = tool.ok("upload", bucket, "key", stdin=content)
    assert int(written.split()[0]) == size
    assert boto.get_object(Bucket=bucket, Key="key")["Body"].read() == content
    assert tool.ok("get", bucket, "key") == content
    assert tool.ok("get", bucket, "key", "--pin", "--budget", "16k") == content
    assert unfinished(boto, bucket) == []


def test_a_small_upload_is_one_request(tool, bucket):
    done = tool.run("upload", bucket, "key", "--stats", stdin=content_of(MIB))
    assert done.stats() == (1, 0)


def test_the_type_of_the_content_is_kept(tool, boto, bucket):
    tool.ok("upload", bucket, "small", "--type", "text/plain; charset=utf-8", stdin=b"a\n")
    tool.ok("upload", bucket, "large", "--type", "text/plain; charset=utf-8", stdin=content_of(9 * MIB))
    for key in ("small", "large"):
        assert boto.head_object(Bucket=bucket, Key=key)["ContentType"] == "text/plain; charset=utf-8"
        assert b"text/plain; charset=utf-8" in tool.ok("head", bucket, key)


ODD_KEYS = ["plain", "with space", "plus+and&and=", "percent%41", "q?uery#hash", "ünïcödé-日本",
            "a'b\"c<d>", "~-._", "in/side", "semi;colon:at@", "comma,star*(paren)",
            "[brackets]{braces}|^`", "$dollar!"]


@pytest.mark.parametrize("key", ODD_KEYS)
def test_keys_of_all_kinds_go_there_and_back(tool, boto, bucket, key):
    tool.ok("put", bucket, key, stdin=key.encode())
    assert boto.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    assert tool.ok("get", bucket, key) == key.encode()
    assert tool.ok("list", bucket).decode().split("\t")[0] == key
    assert tool.ok("list", bucket, "--prefix", key).decode().split("\t")[0] == key
    tool.ok("delete", bucket, key)
    assert tool.ok("list", bucket) == b""


def test_what_is_not_there_is_not_found(tool, bucket):
    assert tool.fails("head", bucket, "nothing")[0] == "not-found"
    code, sentence = tool.fails("get", bucket, "nothing")
    assert code == "not-found"
    assert f"s3://{bucket}/nothing" in sentence and "NoSuchKey" in sentence
    assert tool.fails("list", "no-such-bucket-here")[0] == "not-found"
    assert tool.fails("check-bucket", "no-such-bucket-here")[0] == "not-found"
    assert tool.fails("upload", "no-such-bucket-here", "key", stdin=b"x")[0] == "not-found"


def test_deleting_twice_is_no_error(tool, bucket):
    tool.ok("put", bucket, "key", stdin=b"x")
    tool.ok("delete", bucket, "key")
    tool.ok("delete", bucket, "key")


def test_a_bucket_can_be_made_twice_and_removed_when_empty(tool, bucket):
    tool.ok("make-bucket", bucket)
    tool.ok("check-bucket", bucket)
    tool.ok("put", bucket, "key", stdin=b"x")
    code, sentence = tool.fails("remove-bucket", bucket)
    assert code == "invalid" and "BucketNotEmpty" in sentence
    tool.ok("delete", bucket, "key")
    tool.ok("remove-bucket", bucket)
    assert tool.fails("check-bucket", bucket)[0] == "not-found"


def test_names_that_s3_cannot_have_are_refused_before_anything_is_sent(tool, bucket):
    assert tool.fails("make-bucket", "Not_A_Bucket")[0] == "invalid"
    assert tool.fails("head", bucket, "k" * 1025)[0] == "invalid"
    assert tool.fails("head", bucket, "")[0] == "invalid"


def test_wrong_credentials_are_denied_and_not_told(s3_server, bucket):
    wrong = Tool(s3_server.url, AWS_SECRET_ACCESS_KEY="this-is-secret")
    for command, *key in (["list"], ["head", "key"], ["get", "key"], ["upload", "key"]):
        code, sentence = wrong.fails(command, bucket, *key)
        assert code == "denied"
        assert "this-is-secret" not in sentence
    assert Tool(s3_server.url, AWS_ACCESS_KEY_ID="nobody").fails("list", bucket)[0] == "denied"


def keys_of(listed):
    return [line.split("\t")[0] for line in listed.decode().splitlines()]


def test_a_list_is_paged_in_the_order_of_bytes(tool, s3_server, bucket):
    keys = sorted(f"2019-{number % 12 + 1:02}-{number % 28 + 1:02}_{number}" for number in range(2500))
    for key in keys:
        (s3_server.data / bucket / key).write_bytes(b"x")
    assert keys_of(tool.ok("list", bucket)) == keys
    for after in (keys[0], keys[998], keys[999], keys[1000], "2019-05", keys[-2], keys[-1], "0", "z"):
        expected = [key for key in keys if key > after]
        assert keys_of(tool.ok("list", bucket, "--start-after", after)) == expected
    listed = keys_of(tool.ok("list", bucket, "--prefix", "2019-03", "--page", "7"))
    assert listed == [key for key in keys if key.startswith("2019-03")]


def test_files_dropped_into_the_folder_are_objects_without_an_etag(tool, s3_server, bucket):
    (s3_server.data / bucket / "2019-08-17_1").write_bytes(b"a\nb\n")
    key, size, _, _ = tool.ok("list", bucket).decode().rstrip("\n").split("\t")
    assert (key, size) == ("2019-08-17_1", "4")
    assert tool.ok("get", bucket, "2019-08-17_1", "--pin") == b"a\nb\n"


@pytest.mark.parametrize("offset, size", [(0, 1), (0, 10), (5, 0), (99_999, 5), (100_000, 5), (250_000, 0),
                                          (1, 99_999), (50_000, 1_000_000)])
def test_a_range_is_what_the_whole_has_there(tool, bucket, offset, size):
    content = content_of(100_000)
    tool.ok("put", bucket, "key", stdin=content)
    expected = content[offset:offset + size] if size else content[offset:]
    assert tool.ok("get", bucket, "key", "--offset", offset, "--size", size) == expected
    assert tool.ok("get", bucket, "key", "--offset", offset, "--size", size, "--pin") == expected
    if size:
        assert tool.ok("get-range", bucket, "key", "--offset", offset, "--size", size) == expected


@pytest.mark.parametrize("connections", [0, 1, 3, 16])
@pytest.mark.parametrize("budget", ["1k", "1M", "64M"])
def test_many_objects_are_read_in_turns_within_a_budget(tool, s3_server, bucket, connections, budget):
    contents = {f"key-{number:03}": content_of(number * 997, seed=number) for number in range(60)}
    for key, content in contents.items():
        (s3_server.data / bucket / key).write_bytes(content)
    lines = tool.ok("read-all", bucket, "--connections", connections, "--budget", budget, "--chunk", "3000")
    found = {key: (int(size), digest) for key, size, digest in
             (line.split("\t") for line in lines.decode().splitlines())}
    assert found == {key: (len(one), hashlib.sha256(one).hexdigest()) for key, one in contents.items()}


def test_as_long_as_connections_suffice_an_object_is_one_request(tool, s3_server, bucket):
    for number in range(20):
        (s3_server.data / bucket / f"key-{number}").write_bytes(content_of(500_000, seed=number))
    done = tool.run("read-all", bucket, "--budget", "1k", "--stats")
    assert done.code == 0, done.err
    assert done.stats() == (21, 0)  # the list, and one GET each


def test_an_upload_is_made_of_parts_and_copies(tool, boto, bucket):
    first, second = content_of(6 * MIB, seed=2), content_of(7 * MIB, seed=3)
    tool.ok("put", bucket, "source", stdin=second)
    upload = tool.ok("begin", bucket, "key").decode().strip()
    tool.ok("copy-part", bucket, "key", upload, 2, bucket, "source", "--offset", 1 * MIB, "--size", 6 * MIB)
    tool.ok("put-part", bucket, "key", upload, 1, "--size", 6 * MIB, stdin=b"older" * 1024 * 1024)
    tool.ok("put-part", bucket, "key", upload, 1, "--size", 6 * MIB, stdin=first)
    parts, size, _ = tool.ok("complete", bucket, "key", upload).split()
    assert (int(parts), int(size)) == (2, 12 * MIB)
    assert boto.get_object(Bucket=bucket, Key="key")["Body"].read() == first + second[1 * MIB:7 * MIB]


def test_a_completed_upload_is_not_found_any_more(tool, bucket):
    upload = tool.ok("begin", bucket, "key").decode().strip()
    tool.ok("put-part", bucket, "key", upload, 1, "--size", 1000, stdin=b"x" * 1000)
    tool.ok("complete", bucket, "key", upload)
    assert tool.fails("complete", bucket, "key", upload)[0] == "not-found"
    assert tool.ok("get", bucket, "key") == b"x" * 1000


def test_an_upload_can_be_aborted_twice(tool, boto, bucket):
    upload = tool.ok("begin", bucket, "key").decode().strip()
    assert unfinished(boto, bucket) == [upload]
    tool.ok("abort", bucket, "key", upload)
    tool.ok("abort", bucket, "key", upload)
    assert unfinished(boto, bucket) == []


def test_unfinished_uploads_are_swept_by_age(tool, boto, bucket):
    for key in ("a/1", "a/2", "b"):
        tool.ok("begin", bucket, key)
    assert tool.ok("sweep", bucket, "86400") == b"0\n"
    assert len(unfinished(boto, bucket)) == 3
    assert tool.ok("sweep", bucket, "0", "--prefix", "a/") == b"2\n"
    assert tool.ok("sweep", bucket, "0") == b"1\n"
    assert unfinished(boto, bucket) == []


def test_a_presigned_url_lets_anyone_do_that_one_thing(tool, bucket):
    tool.ok("put", bucket, "a key/with+signs", stdin=b"content")
    url = tool.ok("presign", "GET", bucket, "a key/with+signs", "--expires", "600").decode().strip()
    with urllib.request.urlopen(url, timeout=60) as answer:
        assert answer.read() == b"content"
    for changed in (url.replace("with", "without"), url.replace("X-Amz-Expires=600", "X-Amz-Expires=700")):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(changed, timeout=60)
        assert refused.value.code == 403
    put = tool.ok("presign", "PUT", bucket, "new").decode().strip()
    request = urllib.request.Request(put, data=b"from outside", method="PUT")
    urllib.request.urlopen(request, timeout=60).close()
    assert tool.ok("get", bucket, "new") == b"from outside"
