"""Every component has a test, a page, an example and described options; names what is missing."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from tiphys.registry import Registry, manifest_key, module_name
from tiphys.sources import sources
from tiphys.triggers import triggers

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src/tiphys"
REGISTRIES: dict[str, Registry[Any]] = {"sources": sources, "triggers": triggers}
COMPONENTS = [
    (kind, manifest_key(path.stem))
    for kind in REGISTRIES
    for path in sorted((SOURCE / kind).glob("*.py"))
    if not path.stem.startswith("_")
]
MODULES = sorted(SOURCE.rglob("*.py"))


def module(kind: str, key: str) -> Path:
    return SOURCE / kind / f"{module_name(key)}.py"


def page(kind: str, key: str) -> Path:
    return ROOT / "docs" / kind / f"{module_name(key).replace('_', '-')}.md"


@pytest.mark.parametrize(("kind", "key"), COMPONENTS)
def test_a_component_has_a_test_of_its_own(kind: str, key: str) -> None:
    path = ROOT / "tests/integration" / kind / f"test_{module_name(key)}.py"

    assert path.is_file(), f"{kind[:-1]} {key!r} has no {path.relative_to(ROOT)}"


@pytest.mark.parametrize(("kind", "key"), COMPONENTS)
def test_a_component_has_a_page_with_an_example_that_names_it(kind: str, key: str) -> None:
    path = page(kind, key)

    assert path.is_file(), f"{kind[:-1]} {key!r} has no {path.relative_to(ROOT)}"
    examples = re.findall(r"```yaml\n(.*?)```", path.read_text(), re.DOTALL)
    assert any(f"{key}:" in example for example in examples)


@pytest.mark.parametrize(("kind", "key"), COMPONENTS)
def test_a_component_is_small_and_says_what_it_is(kind: str, key: str) -> None:
    text = module(kind, key).read_text()

    assert ast.get_docstring(ast.parse(text))
    assert len(text.splitlines()) <= 350


@pytest.mark.parametrize(("kind", "key"), COMPONENTS)
def test_every_option_of_a_component_is_described(kind: str, key: str) -> None:
    assert not _undescribed(REGISTRIES[kind].get(key).Config, set())


def _undescribed(model: type[BaseModel], seen: set[type[BaseModel]]) -> list[str]:
    if model in seen:
        return []
    seen.add(model)
    bare = [f"{model.__name__}.{n}" for n, f in model.model_fields.items() if not f.description]
    for field in model.model_fields.values():
        for part in re.findall(r"[\w.]+", str(field.annotation)):
            inner = _model(part)
            bare += _undescribed(inner, seen) if inner else []
    return bare


def _model(dotted: str) -> type[BaseModel] | None:
    """The model of ours with that dotted name."""
    name, _, cls = dotted.rpartition(".")
    found = getattr(sys.modules.get(name), cls, None) if name.startswith("tiphys.") else None
    return found if isinstance(found, type) and issubclass(found, BaseModel) else None


@pytest.mark.parametrize(("kind", "key"), COMPONENTS)
def test_what_a_component_imports_can_be_installed_with_an_extra(kind: str, key: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = {_normal(re.split(r"[^A-Za-z0-9_.-]", d)[0]) for d in project["dependencies"]}
    extras = {_normal(extra) for extra in project["optional-dependencies"]}
    known = required | extras | {"nats", "google", "orjson", "tiphys", "uvloop"}
    imported = {_normal(name) for name in _imports(module(kind, key))}

    assert imported - known - set(sys.stdlib_module_names) == set()


def _imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    froms = [n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    plain = [a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names]
    return {name.partition(".")[0] for name in froms + plain if name}


def _normal(name: str) -> str:
    return name.lower().replace("-", "_")


def test_manifest_keys_and_module_names_translate_both_ways() -> None:
    keys = ["azureEventsHub", "bitbucketserver", "pubSub", "redisStream", "awsLambda", "k8s"]

    assert [manifest_key(module_name(key)) for key in keys] == keys


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_opens_with_a_sentence_and_keeps_to_its_size(path: Path) -> None:
    text = path.read_text()

    assert not text.strip() or ast.get_docstring(ast.parse(text))
    assert len(text.splitlines()) <= 400


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_functions_are_short(path: Path) -> None:
    long = [
        f"{node.name} ({node.end_lineno - node.lineno + 1} lines)"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno >= LONGEST
    ]

    assert not long


LONGEST = 80  # a command of the command line declares its options in its signature
