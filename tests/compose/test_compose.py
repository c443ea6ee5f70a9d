"""docker-compose build, docker-compose up, and what the assignment promises after it."""

import json
import os
import subprocess

import pytest
import requests

from dev.servers import wait_for
from tests.compose.system import System, compose_commands
from tests.harness.buckets import sorted_by_sort

pytestmark = pytest.mark.timeout(2700)
FIRST, LAST = "2019-08-17", "2019-08-21"


def docker(*words):
    return subprocess.run(["docker", *words], check=True, text=True, capture_output=True).stdout


def write_big_logs(system, day, files=40, lines=60_000):
    """Enough to merge that something can happen meanwhile; returns what the merge must give."""
    contents = []
    for number in range(1, files + 1):
        content = b"".join(b"%s %08d line of file %d\n" % (day.encode(), line * 7 + number, number) for line in range(lines))
        (system.logs.parent / f".new-{number}").write_bytes(content)
        (system.logs.parent / f".new-{number}").rename(system.logs / f"{day}_{number}")
        contents.append(content)
    return sorted_by_sort(*contents)


@pytest.mark.parametrize("command", compose_commands(), ids=" ".join)
@pytest.mark.parametrize("files", [[], ["docker-compose.minio.yml"]], ids=["versitygw", "minio"])
def test_the_files_are_valid_for_every_version_of_compose_that_is_here(tree, command, files):
    words = [word for name in ["docker-compose.yml", *files] for word in ("-f", name)]
    run = subprocess.run([*command, *words, "config", "-q"], cwd=tree, text=True, capture_output=True, check=False)
    assert run.returncode == 0, run.stderr


def test_an_image_has_less_than_30_mb_over_its_base(built):
    base = int(docker("image", "inspect", "-f", "{{.Size}}", os.environ.get("BASE_IMAGE", "debian:trixie-slim")))
    for image in ("logmerge-api", "logmerge-worker"):
        size = int(docker("image", "inspect", "-f", "{{.Size}}", image)) - base
        print(f"\n{image}: {size / 1e6:.1f} MB over its base")
        assert size < 30e6


def test_the_assignments_commands_give_the_sorted_file(system, generated):
    download_id = system.initiate(FIRST, LAST)
    assert system.wait_merged(download_id) == sorted_by_sort(*generated.values())
    assert (system.folder / "miniodata" / "merged" / download_id).exists()


def test_s3_and_its_page_are_on_one_endpoint(system):
    s3 = f"http://localhost:{system.ports['S3_PORT']}"
    assert requests.get(f"{s3}/logs", timeout=30).status_code == 403  # S3, and credentials are wanted
    assert "<html" in requests.get(f"{s3}/ui/", timeout=30).text.lower()


def test_a_file_dropped_in_while_all_runs_is_in_the_next_merge(system, generated):
    dropped = b"2019-08-20 dropped in\n"
    (system.logs / "2019-08-20_99").write_bytes(dropped)
    try:
        merged = system.wait_merged(system.initiate(FIRST, LAST))
    finally:
        (system.logs / "2019-08-20_99").unlink()
    assert merged == sorted_by_sort(dropped, *generated.values())


@pytest.mark.parametrize("service", ["api", "worker", "flower"])
def test_a_container_is_not_root_read_only_and_without_capabilities(system, service):
    container = system.containers(service)[0]
    host = system.inspect(container)["HostConfig"]
    assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and not host["Privileged"]
    status = docker("exec", container, "cat", "/proc/self/status")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert fields["Uid"].split()[0] != "0"
    assert int(fields["CapEff"], 16) == 0 and int(fields["CapPrm"], 16) == 0
    assert fields["NoNewPrivs"].strip() == "1"


def test_every_service_with_a_healthcheck_is_healthy(system):
    def healthy():
        states = {}
        for container in system.compose("ps", "-q").split():
            state = system.inspect(container)
            health = state["State"].get("Health")
            if health:
                states[state["Name"]] = health["Status"]
        return states and set(states.values()) == {"healthy"}

    wait_for(healthy, "all healthchecks say healthy", 180, every=1)


def test_flower_knows_the_worker(system):
    def known():
        answer = requests.get(f"http://localhost:{system.ports['FLOWER_PORT']}/api/workers?refresh=1", timeout=60)
        return answer.status_code == 200 and answer.json()

    workers = wait_for(known, "Flower lists the worker", 120, every=1)
    assert any("merge_s3_files" in str(worker.get("registered")) for worker in workers.values()), json.dumps(workers)


def test_three_workers_share_the_jobs(system, generated):
    expected = sorted_by_sort(*generated.values())
    system.compose("up", "-d", "--scale", "worker=3", "--no-recreate")
    assert len(system.containers("worker")) == 3
    ids = [system.initiate(FIRST, LAST) for _ in range(12)]
    for download_id in ids:
        assert system.wait_merged(download_id) == expected
    system.compose("up", "-d", "--scale", "worker=1", "--no-recreate")


def test_a_killed_worker_loses_no_job(system):
    expected = write_big_logs(system, "2019-09-01")
    ids = [system.initiate("2019-09-01", "2019-09-01") for _ in range(3)]
    docker("kill", system.containers("worker")[0])
    system.compose("up", "-d")
    for download_id in ids:
        assert system.wait_merged(download_id) == expected


@pytest.mark.parametrize("service", ["rabbitmq", "redis", "minio"])
def test_a_restarted_server_loses_no_job(system, service):
    expected = write_big_logs(system, "2019-09-02")
    ids = [system.initiate("2019-09-02", "2019-09-02") for _ in range(3)]
    system.compose("restart", "-t", 20, service)
    for download_id in ids:
        assert system.wait_merged(download_id) == expected


def test_stop_in_the_middle_of_a_merge_and_up_lose_no_job(system):
    expected = write_big_logs(system, "2019-09-03")
    ids = [system.initiate("2019-09-03", "2019-09-03") for _ in range(6)]
    system.compose("stop")
    system.compose("up", "-d")
    system.wait_ready()
    for download_id in ids:
        assert system.wait_merged(download_id) == expected


def test_the_same_on_minio(tree, built, generated, system):
    system.compose("stop")  # two systems at once are more than two cores want
    minio = System(tree, ["docker-compose.minio.yml"], project="logmergeminio")
    try:
        minio.compose("up", "-d")
        minio.wait_ready()
        expected = sorted_by_sort(*generated.values())

        def mirrored():
            return minio.wait_merged(minio.initiate(FIRST, LAST)) == expected

        wait_for(mirrored, "what lies in miniodata/logs is merged from MinIO", 180, every=1)
        (minio.logs / "2019-08-19_7").write_bytes(b"2019-08-19 dropped in\n")
        with_dropped = sorted_by_sort(b"2019-08-19 dropped in\n", *generated.values())
        wait_for(lambda: minio.wait_merged(minio.initiate(FIRST, LAST)) == with_dropped,
                 "a file dropped in is mirrored", 180, every=1)
    finally:
        (minio.logs / "2019-08-19_7").unlink(missing_ok=True)
        minio.down()
        system.compose("start")
