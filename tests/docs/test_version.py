"""The version is said in meson.build; what cannot read it from there says the same."""

import re

import pytest

from tests.harness.programs import ROOT


@pytest.mark.parametrize("name", ["Dockerfile.api", "Dockerfile.worker"])
def test_images_are_labelled_with_the_version_of_the_programs(name):
    said = re.search(r"^ARG VERSION=(\S+)$", (ROOT / name).read_text(encoding="utf-8"), re.M)[1]
    build = (ROOT / "meson.build").read_text(encoding="utf-8")
    assert re.search(rf"^  version: '{re.escape(said)}',$", build, re.M)
