"""Plug-ins are found by being written, and a slug belongs to one of them."""

from __future__ import annotations

import sys
import textwrap
from itertools import count

import pytest

from lagpdb.registry import discover

BASE = """
    from abc import ABC, abstractmethod

    class Plugin(ABC):
        slug = ""

        @abstractmethod
        def work(self): ...
"""
_number = count()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Write modules into a new package; returns its name and its base class."""
    monkeypatch.syspath_prepend(str(tmp_path))
    name = f"plugins_of_a_test_{next(_number)}"

    def write(**modules: str):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "__init__.py").touch()
        for module, text in {"base": BASE, **modules}.items():
            (folder / f"{module}.py").write_text(textwrap.dedent(text))
        __import__(f"{name}.base")
        return name, sys.modules[f"{name}.base"].Plugin

    yield write
    for module in [module for module in sys.modules if module.startswith(name)]:
        del sys.modules[module]


def plugin(class_name: str, slug: str) -> str:
    return f"""
    from .base import Plugin

    class {class_name}(Plugin):
        slug = "{slug}"

        def work(self): ...
    """


def test_finds_concrete_classes_sorted_by_slug(package):
    found = discover(*package(b=plugin("Second", "zeta"), a=plugin("First", "alpha")))
    assert list(found) == ["alpha", "zeta"]
    assert found["zeta"].__name__ == "Second"


def test_counts_a_class_where_it_is_written(package):
    name, base = package(a=plugin("First", "alpha"), b="from .a import First")
    assert list(discover(name, base)) == ["alpha"]


def test_leaves_abstract_classes_out(package):
    half = "from .base import Plugin\nclass Half(Plugin):\n    slug = 'half'\n"
    name, base = package(a=half)
    assert discover(name, base) == {}


def test_refuses_a_slug_given_twice(package):
    name, base = package(a=plugin("First", "same"), b=plugin("Second", "same"))
    with pytest.raises(ValueError, match="'same' is the slug of both First and Second"):
        discover(name, base)


def test_refuses_a_class_without_slug(package):
    name, base = package(a=plugin("Nameless", ""))
    with pytest.raises(ValueError, match=r"a\.Nameless has no slug"):
        discover(name, base)


def test_the_project_has_readers_analyses_and_combinations():
    from analysis.queueing import analyses, combinations
    from measurements.readers.recognise import readers

    assert "conductivity" in analyses()
    assert all(quantity for item in combinations().values() for quantity in item.needs)
    assert len(readers()) > 5
