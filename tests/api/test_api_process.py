"""The program itself: start, settings, limits, shutdown."""

import http.client
import signal
import socket
import subprocess
import threading

import pytest

from dev.servers import wait_for
from tests.harness.programs import environment, program

MIB = 1 << 20


def run(*options, **settings):
    return subprocess.run([program("logmerge-api"), *options], env=environment(**settings), capture_output=True,
                          text=True, timeout=120, check=False)


def test_help_lists_every_setting():
    done = run("--help")
    assert done.returncode == 0
    for word in ("--port", "API_PORT", "6543", "CELERY_BROKER_URL", "CELERY_RESULT_BACKEND", "AWS_ENDPOINT_URL_S3",
                 "MAXIMUM_DAYS", "--check"):
        assert word in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("options, words", [
    (["--port", "x"], "--port"), (["--port", "70000"], "--port"), (["--nonsense"], "--nonsense"),
    (["--address", "nowhere"], "--address"), (["--merged-bucket", "A"], "--merged-bucket"),
    (["--s3-style", "round"], "--s3-style"), (["--s3-access-key", "only"], "--s3-secret-key"),
    (["--s3-endpoint", "ftp://x"], "ftp"), (["--s3-ca-file", "/no/such/file"], "/no/such/file"),
    (["--log-level", "LOUD"], "--log-level"),
    (["--queue-type", "stream"], "--queue-type"),
    (["--broker", "http://x"], "http"), (["--result-backend", "memory://"], "memory"), (["extra"], "extra")])
def test_wrong_settings_are_named(options, words):
    done = run(*options)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Sanitizer" not in done.stderr


def test_the_queue_is_declared_as_a_quorum_queue_when_told_so(own_api, rabbitmq, vhost):
    api = own_api(CELERY_TASK_DEFAULT_QUEUE_TYPE="quorum")
    assert api.initiate().status == 202
    assert rabbitmq.queue("celery", vhost)["type"] == "quorum"


def test_a_taken_port_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("--address", "127.0.0.1", "--port", str(port))
    assert done.returncode == 1 and f"port {port} is taken" in done.stderr


def test_the_api_starts_while_nothing_else_is_there(own_api):
    class Nowhere:
        url, access_key, secret_key = "http://127.0.0.1:1", "a", "b"

    class Buckets:
        logs, merged, data = "logs", "merged", None

    api = own_api(broker="amqp://guest:guest@127.0.0.1:1//", redis="redis://127.0.0.1:1/0", s3=Nowhere, on=Buckets,
                  wait=False, S3_RETRY_TIME="0.5")
    assert api.get("/healthz").status == 200
    answer = api.get("/readyz")
    assert answer.status == 503 and answer.json()["detail"] == "Not reachable: broker, redis, s3."


def test_secrets_stay_out_of_the_log(own_api):
    api = own_api(LOG_LEVEL="DEBUG")
    api.get(f"/download/{api.merged(b'a')}")
    assert "minio123" not in api.process.log() and "guest:guest" not in api.process.log()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(own_api, number):
    api = own_api()
    api.new_job()
    idle = api.connect()
    idle.request("GET", "/healthz")
    idle.getresponse().read()
    api.process.finish(number)
    idle.close()


def test_a_download_in_flight_is_finished_after_the_signal(own_api):
    api = own_api(SHUTDOWN_TIMEOUT=100)
    content = b"x" * (32 * MIB)
    job = api.merged(content)
    connection = api.connect()
    connection.request("GET", f"/download/{job}")
    answer = connection.getresponse()
    first = answer.read(1000)
    api.process.send_signal(signal.SIGTERM)
    wait_for(lambda: "no further connections" in api.process.log(), "the API drains")
    with pytest.raises(OSError):
        api.get("/healthz")
    assert first + answer.read() == content
    connection.close()
    api.process.finish()


def test_a_download_that_takes_too_long_is_cut_at_the_end(own_api):
    api = own_api(SHUTDOWN_TIMEOUT="0.5")
    job = api.merged(b"x" * (64 * MIB))
    connection = api.connect()
    connection.request("GET", f"/download/{job}")
    answer = connection.getresponse()
    answer.read(1000)
    api.process.finish()
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        answer.read()
    connection.close()


def test_a_second_signal_ends_it_at_once(own_api):
    api = own_api(SHUTDOWN_TIMEOUT=1000)
    job = api.merged(b"x" * (64 * MIB))
    connection = api.connect()
    connection.request("GET", f"/download/{job}")
    connection.getresponse().read(1000)
    api.process.send_signal(signal.SIGTERM)
    wait_for(lambda: "no further connections" in api.process.log(), "the API drains")
    api.process.finish()
    connection.close()


def test_a_connection_that_says_nothing_is_closed(own_api):
    api = own_api(API_CONNECTION_TIMEOUT=1)
    with socket.create_connection(("127.0.0.1", api.port), timeout=120) as silent:
        silent.sendall(b"POST /initiate HTTP/1.1\r\nHost: x\r\n")
        assert silent.recv(100) == b""
    assert api.get("/healthz").status == 200


def test_what_is_not_http_does_no_harm(own_api):
    api = own_api()
    post = b"POST /initiate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    for garbage in (
            b"\x00" * 1000, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"A" * 100000,
            post + b"Content-Length: -5\r\n\r\n{}", post + b"Content-Length: 10\r\n\r\n{",
            b"GET /download/%ff%fe HTTP/1.1\r\nHost: \xff\r\nRange: \xff\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", api.port), timeout=120) as connection:
            try:
                connection.sendall(garbage)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass
            except OSError:
                pass  # the API has closed the connection: as good an answer as 400
    assert api.get("/healthz").status == 200


def test_more_connections_than_allowed_do_not_stop_it(own_api):
    api = own_api(API_CONNECTIONS=20)
    held = []
    try:
        for _ in range(40):
            held.append(socket.create_connection(("127.0.0.1", api.port), timeout=120))
    finally:
        for connection in held:
            connection.close()
    wait_for(lambda: api.get("/healthz").status == 200, "connections are taken again", 120)


def test_many_clients_at_once_all_get_their_job(own_api):
    api = own_api()
    jobs, problems = set(), []

    def client():
        try:
            for _ in range(5):
                jobs.add(api.new_job())
        except Exception as problem:  # told by the main thread
            problems.append(problem)

    threads = [threading.Thread(target=client) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems, problems[:3]
    assert len(jobs) == 250
    assert {headers["id"] for headers, _, _ in api.published()} == jobs
