"""The schemas, the documentation and the program say the same."""

import json
import pathlib
import re
import subprocess

import pytest

from tests.api import json_schema
from tests.api.service import unknown_id
from tests.harness.programs import environment, program

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCS = (ROOT / "docs" / "api.md").read_text()


def assert_conforms(name, answer):
    assert json_schema.problems(json_schema.load(name), answer.json()) == [], answer


def test_answers_conform_to_their_schemas(api):
    answer = api.initiate()
    assert_conforms("initiated", answer)
    job = answer.json()["download_id"]
    assert_conforms("job", api.get(f"/download/{job}"))
    api.store(job, "PROGRESS", {"files_done": 1, "files_total": 2, "bytes_done": 10, "bytes_total": 30})
    assert_conforms("job", api.get(f"/download/{job}"))


def test_problems_conform_to_their_schema(api):
    job = api.new_job()
    api.fail(job, "UnsortedInput", "line 3")
    for answer in (api.post(b""), api.post({}), api.post({"x": 1}), api.get("/"), api.get("/initiate"),
                   api.get(f"/download/{unknown_id()}"), api.get(f"/download/{job}"),
                   api.post({}, Content_Type="text/plain"), api.post(b"x" * 70000)):
        assert answer.status >= 400
        assert_conforms("problem", answer)


@pytest.mark.parametrize("body", [
    {"start_date": "2019-08-19", "end_date": "2019-08-25"}, {}, [], "text", 5, {"start_date": "2019-08-19"},
    {"start_date": "2019-08-19", "end_date": 5}, {"start_date": "2019-8-19", "end_date": "2019-08-25"},
    {"start_date": "2019-08-19", "end_date": "2019-08-25", "x": 1}, {"start_date": None, "end_date": "2019-08-25"}])
def test_the_schema_of_initiate_takes_what_the_api_takes(api, body):
    taken = api.post(body).status == 202
    assert taken == (json_schema.problems(json_schema.load("initiate"), body) == [])


def test_the_examples_in_the_schemas_conform():
    for path in json_schema.SCHEMAS.glob("*.json"):
        schema = json.loads(path.read_text())
        assert schema["$id"] == path.name
        for example in schema.get("examples", []):
            assert json_schema.problems(schema, example) == []


def test_every_type_of_problem_is_documented_with_its_status():
    table = re.findall(r'\{"([a-z-]+)", (\d{3}),', (ROOT / "api" / "problem_type.c").read_text())
    assert len(table) > 20
    for name, status in table:
        lines = [line for line in DOCS.splitlines() if f"`{name}`" in line]
        assert lines, f"docs/api.md does not tell of {name}"
        assert any(status in line for line in lines), f"docs/api.md does not say that {name} is {status}"


def test_every_route_is_documented():
    routes = re.findall(r'\{"([A-Z]+)", "([^"]+)",', (ROOT / "api" / "routes.c").read_text())
    assert len(routes) >= 7
    for method, path in routes:
        assert path.split(":")[0] in DOCS and method in DOCS


def test_settings_named_in_the_documentation_are_there():
    text = subprocess.run([program("logmerge-api"), "--help"], env=environment(), capture_output=True, text=True,
                          check=True).stdout
    for name in re.findall(r"`([A-Z][A-Z_]+[A-Z])`", DOCS):
        if "_" in name:
            assert f"${name}" in text, name
