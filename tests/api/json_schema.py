"""As much of JSON Schema as schemas/ uses; a keyword that is not known here is an error, so that none is overlooked."""

import json
import pathlib
import re
import uuid

SCHEMAS = pathlib.Path(__file__).resolve().parents[2] / "schemas"
TYPES = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float)}
NOTES = {"$schema", "$id", "title", "description", "examples"}


def load(name):
    return json.loads((SCHEMAS / f"{name}.json").read_text())


def problems(schema, value, at=""):
    """What is wrong with the value: texts that begin with a JSON Pointer."""
    kind = schema.get("type")
    if kind and (not isinstance(value, TYPES[kind]) or isinstance(value, bool)):
        return [f"{at}: not of type {kind}"]
    found = []
    for keyword, wanted in schema.items():
        if keyword in NOTES or keyword == "type":
            continue
        if keyword == "properties":
            for name, inner in wanted.items():
                if name in value:
                    found += problems(inner, value[name], f"{at}/{name}")
        elif keyword == "required":
            found += [f"{at}: {name} is missing" for name in wanted if name not in value]
        elif keyword == "additionalProperties":
            assert wanted is False
            found += [f"{at}/{name}: no such field" for name in value if name not in schema["properties"]]
        elif keyword == "items":
            for number, item in enumerate(value):
                found += problems(wanted, item, f"{at}/{number}")
        elif keyword == "minItems":
            found += [f"{at}: too short"] if len(value) < wanted else []
        elif keyword == "pattern":
            found += [] if re.search(wanted, value) else [f"{at}: does not match {wanted}"]
        elif keyword == "enum":
            found += [] if value in wanted else [f"{at}: not one of {wanted}"]
        elif keyword == "minimum":
            found += [] if value >= wanted else [f"{at}: below {wanted}"]
        elif keyword == "maximum":
            found += [] if value <= wanted else [f"{at}: above {wanted}"]
        elif keyword == "format":
            found += [] if wanted != "uuid" or str(uuid.UUID(value)) == value else [f"{at}: no UUID"]
        else:
            raise AssertionError(f"the keyword {keyword} is not known here")
    return found
