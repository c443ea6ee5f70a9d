"""/healthz and /readyz, and the program's own --check."""

import subprocess

from dev.servers import wait_for
from tests.api.service import assert_problem
from tests.harness.programs import environment, program


def test_the_api_is_alive(api):
    answer = api.get("/healthz")
    assert answer.status == 200 and answer.json() == {"status": "ok"}
    head = api.head("/healthz")
    assert head.status == 200 and head.body == b""


def test_the_api_is_ready_when_all_it_needs_is_there(api):
    answer = api.get("/readyz")
    assert answer.status == 200
    assert answer.json() == {"status": "ready", "checks": {"broker": "ok", "redis": "ok", "s3": "ok"}}
    assert api.head("/readyz").status == 200


def assert_not_ready(api, names):
    def look():
        answer = api.get("/readyz")
        if answer.status != 503:
            return None
        away = [name for name, outcome in answer.json()["checks"].items() if outcome != "ok"]
        return answer if away == names else None

    answer = wait_for(look, f"/readyz names {names}", 120)
    document = assert_problem(answer, 503, "not-ready")
    assert document["detail"] == f"Not reachable: {', '.join(names)}."
    assert api.get("/healthz").status == 200


def test_redis_away_is_named_and_found_again(own_api, own_redis):
    redis = own_redis()
    api = own_api(redis=redis.url)
    redis.stop()
    assert_not_ready(api, ["redis"])
    redis.start()
    wait_for(lambda: api.get("/readyz").status == 200, "ready again", 120)


def test_s3_away_is_named_and_found_again(own_api, own_s3):
    s3 = own_s3()
    api = own_api(s3=s3, S3_RETRY_TIME="0.5")
    s3.stop()
    assert_not_ready(api, ["s3"])
    s3.start()
    wait_for(lambda: api.get("/readyz").status == 200, "ready again", 120)


def test_the_broker_away_is_named_and_found_again(own_api, own_rabbitmq):
    rabbitmq = own_rabbitmq()
    api = own_api(broker=rabbitmq.url)
    rabbitmq.stop()
    assert_not_ready(api, ["broker"])
    rabbitmq.start()
    wait_for(lambda: api.get("/readyz").status == 200, "ready again", 120)


def test_wrong_credentials_of_s3_are_not_ready(own_api, s3_server, buckets):
    class Wrong:
        url, access_key, secret_key = s3_server.url, s3_server.access_key, "not-the-secret"

    api = own_api(s3=Wrong, on=buckets, wait=False)
    assert_not_ready(api, ["s3"])
    assert "not-the-secret" not in api.process.log()


def test_check_tells_whether_the_api_is_alive(api):
    def check(port):
        return subprocess.run([program("logmerge-api"), "--check", "--port", str(port), "--address", "127.0.0.1"],
                              env=environment(), capture_output=True, timeout=120, check=False)

    assert check(api.port).returncode == 0
    nothing = check(1)
    assert nothing.returncode == 1 and b"nothing answers" in nothing.stderr
