"""What the S3 client does when the network breaks, S3 is busy, an object changes, or someone gives up."""

import calendar
import hashlib
import os
import signal
import ssl
import subprocess
import time

import pytest

from dev.servers import wait_for
from tests.s3.conftest import Tool, unfinished, witness
from tests.s3.proxy import FaultProxy, answer, answer_xml, cut, drop, first, hang, lose_answer, midway
from tests.s3.test_objects import MIB, content_of

BUSY = answer(503, "SlowDown", "Please reduce your request rate.")


def starts_of(requests):
    """The first byte of each ranged request; 0 where there is no range."""
    return [int(one.headers["range"].removeprefix("bytes=").split("-")[0]) if "range" in one.headers else 0
            for one in requests]


# ---- what passes by itself ----

PASSING = {"busy": BUSY, "internal": answer(500, "InternalError"), "gateway": answer(502),
           "late": answer(504), "many": answer(429), "timeout": answer(400, "RequestTimeout"),
           "dropped": drop(), "lost": lose_answer()}
COMMANDS = [["list"], ["head", "key"], ["get", "key"], ["upload", "new"], ["delete", "key"]]


# The answer to a HEAD has no body that could say that a 400 will pass.
@pytest.mark.parametrize("words, fault", [(words, fault) for words in COMMANDS for fault in PASSING
                                          if (fault, words[0]) != ("timeout", "head")],
                         ids=lambda value: value if isinstance(value, str) else value[0])
def test_a_passing_fault_is_waited_out(through, tool, proxy, bucket, fault, words):
    tool.ok("put", bucket, "key", stdin=b"content")
    proxy.add(PASSING[fault], times=3)
    through.ok(words[0], bucket, *words[1:], stdin=b"new")
    assert len(proxy.seen()) >= 4


def test_what_is_refused_is_not_tried_again(through, proxy, bucket):
    for status, code, expected in ((400, "InvalidArgument", "invalid"), (403, "AccessDenied", "denied"),
                                   (404, "NoSuchKey", "not-found"), (412, "PreconditionFailed", "changed"),
                                   (409, "OperationAborted", "invalid"), (501, "NotImplemented", "protocol")):
        before = len(proxy.seen())
        proxy.add(answer(status, code))
        failed, sentence = through.fails("list", bucket)
        assert failed == expected
        assert code in sentence and "a fault of the test" in sentence
        assert len(proxy.seen()) == before + 1


def test_the_retries_end_after_the_time_that_was_set(through, proxy, bucket):
    proxy.add(BUSY, times=10_000)
    code, sentence = through.fails("list", bucket, "--retry-time", "3")
    assert code == "unavailable"
    assert "SlowDown" in sentence and "attempts" in sentence
    assert 2 <= len(proxy.seen()) <= 20


def test_a_server_that_is_not_there_is_unavailable():
    code, sentence = Tool("http://127.0.0.1:9").fails("list", "logs", "--retry-time", "1")
    assert code == "unavailable"
    assert "s3://logs" in sentence


def test_a_host_that_does_not_exist_is_unavailable():
    nowhere = Tool("http://no-such-host.invalid:9000")
    assert nowhere.fails("list", "logs", "--retry-time", "1")[0] == "unavailable"


def test_a_server_that_says_nothing_is_given_up_and_asked_again(through, tool, proxy, bucket):
    tool.ok("put", bucket, "key", stdin=b"content")
    proxy.add(hang(), times=1)
    assert through.ok("get", bucket, "key", "--stall-timeout", "1") == b"content"


def test_a_server_that_never_says_anything_is_a_timeout(through, proxy, bucket):
    proxy.add(hang(), times=100)
    assert through.fails("list", bucket, "--stall-timeout", "1", "--retry-time", "1")[0] == "timeout"


def test_an_answer_that_is_not_s3s_is_a_protocol_error(through, proxy, bucket):
    for text in ("<html>hello", "", "not XML", "<a>" * 1000,
                 "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
                 "<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>"):
        proxy.add(answer_xml(text))
        assert through.fails("list", bucket)[0] in ("protocol", "limit")


def test_a_list_that_never_ends_is_noticed(through, proxy, bucket):
    page = ("<ListBucketResult><IsTruncated>true</IsTruncated>"
            "<NextContinuationToken>t</NextContinuationToken></ListBucketResult>")
    proxy.add(answer_xml(page), times=1000)
    assert through.fails("list", bucket)[0] == "protocol"
    assert len(proxy.seen()) == 2


# ---- reading ----

@pytest.mark.parametrize("budget", ["16k", "1M"])
@pytest.mark.parametrize("pin", [[], ["--pin"]])
def test_a_transfer_that_breaks_goes_on_at_the_byte_where_it_broke(through, tool, proxy, bucket, budget, pin):
    content = content_of(3 * MIB)
    tool.ok("put", bucket, "key", stdin=content)
    proxy.add(cut(1_000_000), method="GET")
    proxy.add(cut(70_000), method="GET")
    proxy.add(cut(0), method="GET")
    assert through.ok("get", bucket, "key", "--budget", budget, *pin) == content
    starts = starts_of(proxy.seen("GET"))
    assert starts == [0, 1_000_000, 1_070_000, 1_070_000]


def test_progress_renews_the_time_for_retries(through, tool, proxy, bucket):
    content = content_of(2 * MIB)
    tool.ok("put", bucket, "key", stdin=content)
    proxy.add(cut(50_000), times=30, method="GET")
    assert through.ok("get", bucket, "key", "--retry-time", "1") == content


def test_a_range_goes_on_within_itself(through, tool, proxy, bucket):
    content = content_of(500_000)
    tool.ok("put", bucket, "key", stdin=content)
    proxy.add(cut(100_000), method="GET")
    assert through.ok("get", bucket, "key", "--offset", 50_000, "--size", 300_000) == content[50_000:350_000]
    ranges = [one.headers["range"] for one in proxy.seen("GET")]
    assert ranges == ["bytes=50000-349999", "bytes=150000-349999"]


def overwrite(tool, bucket, key, content):
    return lambda: tool.ok("put", bucket, key, stdin=content)


@pytest.mark.parametrize("size", [3 * MIB, 1])
def test_an_object_that_is_replaced_while_it_is_read_is_an_error(through, tool, proxy, bucket, size):
    tool.ok("put", bucket, "key", stdin=content_of(3 * MIB))
    proxy.add(midway(1_000_000, overwrite(tool, bucket, "key", content_of(size, seed=2))), method="GET")
    code, sentence = through.fails("get", bucket, "key")
    assert code == "changed"
    assert f"s3://{bucket}/key" in sentence


def test_an_object_that_is_replaced_after_it_was_listed_is_an_error(through, tool, proxy, bucket):
    tool.ok("put", bucket, "key", stdin=b"first")
    proxy.add(first(overwrite(tool, bucket, "key", b"other")), method="GET")
    code, _ = through.fails("get", bucket, "key", "--pin")
    assert code == "changed"
    assert proxy.seen("GET")[0].headers["if-match"].startswith('"')


def rewrite_file(path, content, modified):
    def act():
        path.write_bytes(content)
        os.utime(path, (modified, modified))
    return act


@pytest.mark.parametrize("content, age", [(b"longer than before" * 100_000, 0), (b"x" * 2_000_000, 100)])
def test_a_file_without_an_etag_that_changes_is_an_error(through, s3_server, proxy, bucket, content, age):
    path = s3_server.data / bucket / "dropped"
    path.write_bytes(b"x" * 2_000_000)
    now = int(time.time()) - 1000
    os.utime(path, (now, now))
    proxy.add(midway(100_000, rewrite_file(path, content, now + age)), method="GET")
    assert through.fails("get", bucket, "dropped", "--pin")[0] == "changed"


def test_an_object_that_is_deleted_while_it_is_read_is_an_error(through, tool, proxy, bucket):
    tool.ok("put", bucket, "key", stdin=content_of(MIB))
    proxy.add(midway(100_000, lambda: tool.ok("delete", bucket, "key")), method="GET")
    assert through.fails("get", bucket, "key")[0] == "not-found"


@pytest.mark.parametrize("head", ["206 Partial Content\r\nContent-Range: bytes 5-9/100\r\nContent-Length: 5",
                                  "206 Partial Content\r\nContent-Length: 5",
                                  "200 OK\r\nTransfer-Encoding: chunked"])
def test_an_answer_with_other_bytes_than_were_asked_for_is_refused(through, proxy, bucket, head):
    def act(connection, request):
        connection.client.sendall(f"HTTP/1.1 {head}\r\n\r\n12345".encode())
        return True

    proxy.add(act, method="GET")
    assert through.fails("get", bucket, "key", "--offset", 10, "--size", 50)[0] == "protocol"


def test_a_reader_that_is_slower_than_s3_holds_it_back(through, tool, proxy, bucket):
    content = content_of(64 * MIB)
    tool.ok("upload", bucket, "key", stdin=content)
    running = through.start("get", bucket, "key", "--budget", "64k")
    first_bytes = os.read(running.stdout.fileno(), 100)  # from now on the tool waits for us to read on
    request = wait_for(lambda: proxy.seen("GET"), "the GET")[0]

    def settled():
        before = request.sent_back
        time.sleep(0.5)
        return request.sent_back == before

    wait_for(settled, "the transfer held back")
    assert request.sent_back < 60 * MIB  # what is on its way is in the sockets' buffers, not in the reader
    done = through.end(running)
    assert first_bytes + done.out == content
    assert len(proxy.seen("GET")) == 1


# ---- writing ----

STEPS = {"begin": {"target": "uploads="}, "first": {"target": "partNumber=1&"},
         "last": {"target": "partNumber=3&"}, "completion": {"method": "POST", "target": r"\?uploadId="}}


@pytest.mark.parametrize("fault", ["busy", "internal", "dropped", "lost"])
@pytest.mark.parametrize("step", STEPS)
def test_an_upload_survives_a_fault_at_each_of_its_steps(through, tool, proxy, boto, bucket, fault, step):
    content = content_of(20 * MIB)
    proxy.add(PASSING[fault], times=2, **STEPS[step])
    through.ok("upload", bucket, "key", stdin=content)
    assert tool.ok("get", bucket, "key") == content
    if (fault, step) != ("lost", "begin"):  # an upload whose id was never heard is left to the sweep
        assert unfinished(boto, bucket) == []


def test_a_completion_that_fails_after_its_200_is_tried_again(through, tool, proxy, bucket):
    content = content_of(9 * MIB)
    late = "\n \n<?xml version=\"1.0\"?><Error><Code>InternalError</Code><Message>Try again</Message></Error>"
    proxy.add(answer_xml(late), method="POST", target=r"\?uploadId=")
    through.ok("upload", bucket, "key", stdin=content)
    assert tool.ok("get", bucket, "key") == content
    assert len(proxy.seen("POST", r"\?uploadId=")) == 2


@pytest.mark.parametrize("how", [{"target": "partNumber=1&"}, {"target": "partNumber=3&"},
                                 {"method": "POST", "target": r"\?uploadId="}])
def test_an_upload_that_fails_is_aborted(through, proxy, boto, bucket, how):
    proxy.add(answer(403, "AccessDenied"), times=100, **how)
    code, sentence = through.fails("upload", bucket, "key", stdin=content_of(40 * MIB))
    assert code == "denied" and "AccessDenied" in sentence
    assert unfinished(boto, bucket) == []
    assert boto.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_an_early_refusal_of_a_part_is_heard_though_the_connection_breaks(through, proxy, boto, bucket):
    def refuse(connection, request):
        answer(403, "AccessDenied", headers={"Connection": "close"})(connection, request)
        connection.proxy.forget(connection.client)
        return True

    proxy.add(refuse, times=100, target="partNumber=")
    assert through.fails("upload", bucket, "key", stdin=content_of(20 * MIB))[0] == "denied"
    assert unfinished(boto, bucket) == []


def test_an_upload_that_is_cancelled_is_aborted(through, proxy, boto, bucket):
    proxy.add(hang(), target="partNumber=2&")
    running = through.start("upload", bucket, "key", stdin=-1)
    running.stdin.write(content_of(20 * MIB))
    wait_for(lambda: proxy.seen("PUT", "partNumber=2&"), "the second part", timeout=120)
    running.send_signal(signal.SIGTERM)
    done = through.end(running, b"")
    assert done.failure()[0] == "cancelled"
    assert unfinished(boto, bucket) == []


@pytest.mark.parametrize("words", [["list"], ["get", "key"], ["head", "key"], ["upload", "key"]])
def test_whatever_waits_can_be_cancelled(through, proxy, bucket, words):
    proxy.add(hang(), times=100)
    running = through.start(words[0], bucket, *words[1:], stdin=-3)
    wait_for(proxy.seen, "a request")
    running.send_signal(signal.SIGTERM)
    assert through.end(running).failure()[0] == "cancelled"


def test_waiting_for_the_next_attempt_can_be_cancelled(through, proxy, bucket):
    proxy.add(BUSY, times=1000)
    running = through.start("list", bucket, "--retry-time", "100000")
    wait_for(lambda: len(proxy.seen()) >= 3, "three attempts")
    running.send_signal(signal.SIGTERM)
    assert through.end(running).failure()[0] == "cancelled"


@pytest.mark.parametrize("options, signed", [([], False), (["--sign-payload"], True)])
def test_parts_carry_a_checksum_and_their_signature_when_asked(through, proxy, tool, bucket, options, signed):
    content = content_of(9 * MIB)
    through.ok("upload", bucket, "key", *options, stdin=content)
    for part in proxy.seen("PUT", "partNumber=1&"):
        assert len(part.headers["x-amz-checksum-crc32c"]) == 8
        digest = hashlib.sha256(part.body).hexdigest() if signed else "UNSIGNED-PAYLOAD"
        assert part.headers["x-amz-content-sha256"] == digest
    assert tool.ok("get", bucket, "key") == content


def test_parts_are_signed_where_the_server_knows_no_checksum(through, proxy, tool, bucket):
    proxy.add(answer(501, "NotImplemented"), header="x-amz-checksum-algorithm")
    content = content_of(9 * MIB)
    through.ok("upload", bucket, "key", stdin=content)
    parts = proxy.seen("PUT", "partNumber=")
    assert len(parts) == 2
    for part in parts:
        assert "x-amz-checksum-crc32c" not in part.headers
        assert part.headers["x-amz-content-sha256"] == hashlib.sha256(part.body).hexdigest()
    assert tool.ok("get", bucket, "key") == content


def test_a_part_that_is_damaged_on_its_way_is_not_stored(through, proxy, boto, bucket):
    def damage(connection, request):
        request.body = bytes([request.body[0] ^ 1]) + request.body[1:]
        return False

    proxy.add(damage, target="partNumber=1&", times=100)
    assert through.run("upload", bucket, "key", stdin=content_of(9 * MIB)).code == 1
    assert unfinished(boto, bucket) == []


# ---- clocks, regions, tokens, hosts, TLS ----

def skewed(seconds):
    """Refuses what is not signed by a clock that is `seconds` ahead of ours, as S3 does beyond 15 minutes."""
    def act(connection, request):
        theirs = time.time() + seconds
        signed = time.strptime(request.headers["x-amz-date"], "%Y%m%dT%H%M%SZ")
        if abs(calendar.timegm(signed) - theirs) < 900:
            return answer_xml("<ListBucketResult></ListBucketResult>")(connection, request)
        date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(theirs))
        return answer(403, "RequestTimeTooSkewed", headers={"Date": date})(connection, request)
    return act


@pytest.mark.parametrize("seconds", [-7200, 7200])
@pytest.mark.parametrize("words", [["list"], ["check-bucket"]])
def test_a_wrong_clock_is_corrected_once_by_the_servers(through, proxy, bucket, seconds, words):
    proxy.add(skewed(seconds), times=100)
    through.ok(*words, bucket)
    assert len(proxy.seen()) == 2


def test_a_clock_that_cannot_be_corrected_is_denied(through, proxy, bucket):
    date = "Tue, 01 Jan 2019 00:00:00 GMT"
    proxy.add(answer(403, "RequestTimeTooSkewed", headers={"Date": date}), times=100)
    assert through.fails("list", bucket)[0] == "denied"
    assert len(proxy.seen()) == 2


ELSEWHERE = {"x-amz-bucket-region": "eu-west-3"}


@pytest.mark.parametrize("refusal", [
    answer(400, "AuthorizationHeaderMalformed", extra="<Region>eu-west-3</Region>"),
    answer(301, "PermanentRedirect", headers=ELSEWHERE), answer(400, headers=ELSEWHERE)])
def test_a_wrong_region_is_corrected_by_what_the_server_names(through, proxy, bucket, refusal):
    def act(connection, request):
        right = "/eu-west-3/s3/" in request.headers["authorization"]
        done = answer_xml("<ListBucketResult></ListBucketResult>") if right else refusal
        return done(connection, request)

    proxy.add(act, times=100)
    through.ok("list", bucket)
    assert len(proxy.seen()) == 2


def test_a_region_that_is_no_name_is_not_taken_over(through, proxy, bucket):
    proxy.add(answer(301, "PermanentRedirect", headers={"x-amz-bucket-region": "evil.example/"}), times=100)
    assert through.fails("list", bucket)[0] == "invalid"
    assert len(proxy.seen()) == 1


def test_a_session_token_is_sent_and_signed(proxy, bucket):
    proxy.add(answer_xml("<ListBucketResult></ListBucketResult>"))
    Tool(proxy.url, AWS_SESSION_TOKEN="the/token+=").ok("list", bucket)
    headers = proxy.seen()[0].headers
    assert headers["x-amz-security-token"] == "the/token+="
    assert ";x-amz-security-token," in headers["authorization"]


def test_no_error_quotes_a_secret(proxy, bucket):
    proxy.add(answer(403, "AccessDenied", message="your key is minio123, your token the/token+="), times=2)
    _, sentence = Tool(proxy.url, AWS_SESSION_TOKEN="the/token+=").fails("list", bucket)
    assert "minio123" not in sentence and "the/token" not in sentence


def test_a_bucket_can_be_part_of_the_host(proxy):
    proxy.add(answer_xml("<ListBucketResult></ListBucketResult>"), times=2)
    tool = Tool(proxy.url.replace("127.0.0.1", "localhost"))
    tool.ok("list", "logs", "--style", "virtual", "--prefix", "a b")
    tool.ok("list", "logs", "--style", "path")
    virtual, path = proxy.seen()
    assert virtual.headers["host"] == f"logs.localhost:{proxy.port}" and virtual.target.startswith("/?")
    assert path.headers["host"] == f"localhost:{proxy.port}" and path.target.startswith("/logs?")
    assert "prefix=a%20b" in virtual.target


def test_tls_is_always_verified(s3_server, tmp_path, bucket, tool):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem",
                    "-out", "cert.pem"], cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    content = content_of(9 * MIB)
    with FaultProxy(s3_server.port, tls=context) as proxy:
        trusting = Tool(proxy.url)
        assert trusting.fails("list", bucket)[0] == "denied"
        trusting.ok("upload", bucket, "key", "--ca-file", tmp_path / "cert.pem", stdin=content)
        assert trusting.ok("get", bucket, "key", "--ca-file", tmp_path / "cert.pem") == content
        assert len(proxy.seen("PUT", "partNumber=")) == 2
    assert tool.ok("get", bucket, "key") == content


# ---- the server itself stops, or is restarted ----

def own_server(own_s3):
    server = own_s3()
    tool = Tool(server.url)
    tool.ok("make-bucket", "logs")
    return server, tool


def test_a_server_that_stands_still_for_a_while_is_waited_for(own_s3):
    server, tool = own_server(own_s3)
    content = content_of(30 * MIB)
    running = tool.start("upload", "logs", "key", stdin=-1)
    running.stdin.write(content[:20 * MIB])
    for pid in server.pids():
        os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(2)
    finally:
        for pid in server.pids():
            os.kill(pid, signal.SIGCONT)
    assert tool.end(running, content[20 * MIB:]).code == 0
    assert tool.ok("get", "logs", "key") == content


def test_an_upload_survives_the_restart_of_the_server(own_s3):
    server, tool = own_server(own_s3)
    content = content_of(30 * MIB)
    running = tool.start("upload", "logs", "key", "--stats", stdin=-1)
    running.stdin.write(content[:18 * MIB])
    server.kill()
    time.sleep(1)
    server.start()
    done = tool.end(running, content[18 * MIB:])
    assert done.code == 0, done.err
    assert tool.ok("get", "logs", "key") == content
    assert unfinished(witness(server), "logs") == []


def test_a_download_survives_the_restart_of_the_server(own_s3):
    server, tool = own_server(own_s3)
    content = content_of(64 * MIB)
    tool.ok("upload", "logs", "key", stdin=content)
    running = tool.start("get", "logs", "key", "--budget", "64k", "--stats")
    first_bytes = os.read(running.stdout.fileno(), 100)  # from now on the tool waits for us to read on
    server.kill()
    server.start()
    done = tool.end(running)
    assert done.code == 0, done.err
    assert first_bytes + done.out == content
    assert done.stats()[1] >= 1


def test_many_readers_survive_the_restart_of_the_server(own_s3):
    server, tool = own_server(own_s3)
    for number in range(50):
        (server.data / "logs" / f"key-{number}").write_bytes(content_of(MIB, seed=number))
    expected = tool.ok("read-all", "logs")
    for connections in (0, 4):
        running = tool.start("read-all", "logs", "--budget", "1M", "--chunk", "1000", "--connections",
                             connections)
        time.sleep(0.3)
        server.kill()
        server.start()
        done = tool.end(running)
        assert done.code == 0, done.err
        assert done.out == expected
