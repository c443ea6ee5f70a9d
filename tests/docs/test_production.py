"""docs/production.md: what it says of TLS holds, its policy is JSON, and the units of systemd are well-formed."""

import configparser
import json
import re
import shutil
import subprocess

import pytest

from dev.servers import free_port
from tests.harness.certificates import certificate
from tests.harness.programs import ROOT, Program, environment, program
from tests.harness.workers import celery_app, wait_for_worker

PAGE = (ROOT / "docs" / "production.md").read_text(encoding="utf-8")
UNITS = ROOT / "dev" / "systemd"


def test_ssl_cert_file_names_the_authority_of_the_broker(own_rabbitmq, redis_url, tmp_path):
    port, folder = free_port(), certificate(tmp_path / "keys")
    server = own_rabbitmq(config=f"listeners.ssl.1 = 127.0.0.1:{port}\nssl_options.cacertfile = {folder}/ca.pem\n"
                                 f"ssl_options.certfile = {folder}/server.pem\n"
                                 f"ssl_options.keyfile = {folder}/server.key\n")
    worker = Program([program("logmerge-worker"), "--hostname", "tls@test", "--concurrency", "1"], tmp_path / "worker.log",
                     env=environment(CELERY_BROKER_URL=f"amqps://guest:guest@localhost:{port}//",
                                     CELERY_RESULT_BACKEND=redis_url, SSL_CERT_FILE=f"{folder}/ca.pem")).start()
    app = celery_app(server.url, redis_url)
    wait_for_worker(app, "tls@test", worker)
    assert app.control.inspect(destination=["tls@test"], timeout=60, limit=1).stats()["tls@test"]["broker"]["ssl"]
    app.close()
    worker.finish()


def test_the_policy_for_aws_is_json():
    policy = json.loads(re.search(r"^```json\n(.*?)^```$", PAGE, re.M | re.S)[1])
    assert all(action.startswith("s3:") for statement in policy["Statement"] for action in statement["Action"])


@pytest.mark.parametrize("name", ["logmerge-api", "logmerge-worker"])
def test_a_unit_of_systemd_is_well_formed_and_starts_the_program_with_options_that_it_has(name, tmp_path):
    text = (UNITS / f"{name}.service").read_text(encoding="utf-8")
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read_string(text)
    words = unit["Service"]["ExecStart"].split()
    assert words[0] == f"/usr/local/bin/{name}" and unit["Install"]["WantedBy"] == "multi-user.target"
    done = subprocess.run([program(name), *words[1:], "--help"], capture_output=True, text=True, check=False, timeout=120,
                          env=environment())
    assert done.returncode == 0 and {word for word in words if word.startswith("--")} <= set(done.stdout.split())
    if shutil.which("systemd-analyze"):
        copy = tmp_path / f"{name}.service"
        copy.write_text(text.replace(words[0], program(name)), encoding="utf-8")
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True,
                              check=False, timeout=120)
        assert str(copy) not in done.stderr, done.stderr  # other units of the machine may be wrong


def test_links_between_the_pages_lead_somewhere():
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")):
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
            assert (page.parent / target).exists(), f"{page.name} names {target}"
