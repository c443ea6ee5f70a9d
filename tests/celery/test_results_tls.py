"""Results over TLS (rediss://), with Celery's parameters, against a Redis whose certificate a CA of the test signed."""

import json

import pytest
import redis

from dev.servers import wait_for
from dev.servers.ports import free_port
from tests.celery.redis_relay import RedisRelay
from tests.celery.results_tool import WAIT
from tests.harness.certificates import certificate
from tests.harness.workers import celery_app

DONE = 1795478754.045554


class Secure:
    """A Redis with TLS beside its plain port, and URLs to it."""

    def __init__(self, own_redis, folder, *more):
        self.keys, self.port = certificate(folder / "keys"), free_port()
        self.server = own_redis(options=["--tls-port", self.port, "--tls-ca-cert-file", self.keys / "ca.pem",
                                         "--tls-cert-file", self.keys / "server.pem",
                                         "--tls-key-file", self.keys / "server.key", *more])

    def url(self, host="localhost", port=None, database=2, ca=True, **query):
        query = {"ssl_cert_reqs": "CERT_REQUIRED", **({"ssl_ca_certs": f"{self.keys}/ca.pem"} if ca else {}), **query}
        return f"rediss://{host}:{port or self.port}/{database}?" + "&".join(f"{name}={value}" for name, value
                                                                        in query.items())


@pytest.fixture
def secure(own_redis, tmp_path):
    return Secure(own_redis, tmp_path, "--tls-auth-clients", "no")


def store(tool, name, deadline=WAIT, result=1):
    return tool.call("store", id=name, status="SUCCESS", result=result, date_done=DONE, deadline=deadline)


def refusal(tool, deadline=WAIT):
    """Why nothing can be stored; what is no use to try again is told long before the deadline."""
    answer = store(tool, "refused", deadline)
    assert answer["ok"] is False
    return answer["code"], answer["message"]


def test_a_python_client_gets_over_tls_what_a_c_task_returned(results_tool, secure):
    tool = results_tool(secure.url())
    assert store(tool, "t1", result={"text": "café"})["ok"]
    client = celery_app("memory://", secure.url())
    assert client.AsyncResult("t1").get(timeout=60) == {"text": "café"}
    client.backend.store_result("t2", [1, 2.5], "SUCCESS")
    assert tool.call("get", id="t2")["meta"]["result"] == [1, 2.5]
    client.close()


def test_the_host_may_be_an_address(results_tool, secure):
    assert store(results_tool(secure.url(host="127.0.0.1")), "t1")["ok"]


def test_results_of_any_size_and_number_go_through(results_tool, secure):
    tool = results_tool(secure.url())
    big = "x" * 5_000_000
    assert store(tool, "big", result=big)["ok"]
    assert tool.call("get", id="big")["meta"]["result"] == big
    for number in range(2000):
        tool.send("async", id=f"t{number}", status="FAILURE", result="y" * 500, date_done=DONE)
    for number in range(2000):
        assert tool.wait(stored=f"t{number}")["kept"] is False
    with redis.Redis.from_url(secure.server.url_of(2)) as witness:
        assert witness.dbsize() == 2001


def test_a_server_that_nobody_vouches_for_is_refused_at_once(results_tool, secure):
    code, message = refusal(results_tool(secure.url(ca=False)))
    assert code == "denied" and "certificate is not trusted" in message
    assert store(results_tool(secure.url(ca=False, ssl_cert_reqs="none")), "t1")["ok"]


def test_a_certificate_for_another_host_is_refused_unless_the_name_shall_not_matter(results_tool, own_redis, tmp_path):
    secure = Secure(own_redis, tmp_path, "--tls-auth-clients", "no", "--bind", "127.0.0.1", "127.0.0.2")
    code, message = refusal(results_tool(secure.url(host="127.0.0.2")))
    assert code == "denied" and "IP address mismatch" in message
    assert store(results_tool(secure.url(host="127.0.0.2", ssl_check_hostname="false")), "t1")["ok"]


def test_a_client_shows_its_certificate_when_it_has_one(results_tool, own_redis, tmp_path):
    secure = Secure(own_redis, tmp_path, "--tls-auth-clients", "yes")
    assert refusal(results_tool(secure.url()), deadline=3)[0] in ("unavailable", "timeout")
    own = {"ssl_certfile": f"{secure.keys}/server.pem", "ssl_keyfile": f"{secure.keys}/server.key"}
    assert store(results_tool(secure.url(**own)), "t1")["ok"]


def test_a_file_that_is_not_there_is_named(results_tool, secure):
    code, message = refusal(results_tool(secure.url(ssl_certfile="/nowhere/client.pem")))
    assert code == "invalid" and "ssl_certfile /nowhere/client.pem" in message


def test_a_password_goes_through_tls(results_tool, secure):
    with redis.Redis.from_url(secure.server.url) as admin:
        admin.config_set("requirepass", "s@crt")
    assert store(results_tool(secure.url(host=":s%40crt@localhost")), "t1")["ok"]
    code, message = refusal(results_tool(secure.url()))
    assert code == "denied" and "NOAUTH" in message


def test_tls_with_a_server_that_speaks_none_fails_and_so_does_the_reverse(results_tool, secure):
    for url in (secure.url(port=secure.server.port), f"redis://localhost:{secure.port}/2"):
        assert refusal(results_tool(url), deadline=3)[0] in ("unavailable", "protocol", "timeout")


def test_a_restarted_server_is_found_again(results_tool, secure):
    tool = results_tool(secure.url())
    assert store(tool, "t1")["ok"]
    for number in range(3):
        secure.server.restart()
        assert store(tool, f"r{number}")["ok"]


def test_a_connection_that_is_cut_anywhere_is_made_anew(results_tool, secure):
    relay = RedisRelay(secure.port, [1 + cut for cut in range(0, 4000, 400)])
    tool = results_tool(secure.url(port=relay.port))
    for number in range(60):
        tool.call("queue", id=f"t{number}", status="SUCCESS", result=number)
    assert tool.call("flush", deadline=WAIT)["ok"]
    with redis.Redis.from_url(secure.server.url_of(2)) as witness:
        for number in range(60):
            assert json.loads(witness.get(f"celery-task-meta-t{number}"))["result"] == number
    assert relay.met > 1
    relay.close()


def test_a_worker_serves_a_python_client_over_tls(worker, secure, broker_url):
    node = worker(backend=secure.url())
    sent = [node.app.send_task("demo.add", (number, 1)) for number in range(20)]
    assert [one.get(timeout=WAIT) for one in sent] == list(range(1, 21))
    wait_for(lambda: node.app.control.ping(destination=[node.node], timeout=2), "the worker", WAIT)
