"""Parameters against a slow, obvious model, and what the conformance cases do not reach."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiphys.errors import ParameterError
from tiphys.events import JSON, CloudEvent
from tiphys.manifests.common import Parameter
from tiphys.sensors import parameters
from tiphys.sensors.event import Event
from tiphys.sensors.parameters import compile_parameters

KEYS = st.text("abcxyz", min_size=1, max_size=3)
SCALARS = st.none() | st.booleans() | st.integers(-999, 999) | st.text('ab<&"\\é', max_size=4)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=4)
PATHS = st.lists(KEYS, min_size=1, max_size=3)


def event(data: Any) -> Event:
    text = json.dumps(data).encode()
    return Event(CloudEvent("id", "es", "ev", "t", datacontenttype=JSON, data=text))


def parameter(**members: Any) -> Parameter:
    return Parameter.model_validate(members)


def found(document: Any, path: list[str]) -> tuple[bool, Any]:
    """The value at *path*, if there is one: the model of a plain get-path."""
    for key in path:
        if not isinstance(document, dict) or key not in document:
            return False, None
        document = document[key]
    return True, document


def stored(document: Any, path: list[str], value: Any) -> Any:
    """*document* with *value* at *path*: the model of a plain set-path."""
    document = copy.deepcopy(document) if isinstance(document, dict) else {}
    here = document
    for key in path[:-1]:
        if not isinstance(here.get(key), dict):
            here[key] = {}
        here = here[key]
    here[path[-1]] = value
    return document


def as_text(value: Any, raw: str) -> str:
    """The text of a value, as it is stored without ``useRawData``."""
    if isinstance(value, str):
        return value
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return raw


@given(data=OBJECTS, target=OBJECTS, source=PATHS, dest=PATHS, raw=st.booleans())
def test_a_value_is_carried_as_the_model_says(
    data: Any, target: Any, source: list[str], dest: list[str], raw: bool
) -> None:
    if any(isinstance(target.get(dest[0]), list) for _ in dest):
        return  # members of lists are another chapter
    given_parameter = parameter(
        src={"dependencyName": "d", "dataKey": ".".join(source), "useRawData": raw},
        dest=".".join(dest),
    )
    compiled = compile_parameters([given_parameter])
    exists, value = found(data, source)
    if not exists:
        with pytest.raises(ParameterError):
            parameters.apply(json.dumps(target), compiled, {"d": event(data)})
        return
    try:
        result = parameters.apply(json.dumps(target), compiled, {"d": event(data)})
    except ParameterError as error:
        assert "array" in str(error)  # a list further down the path
        return

    carried = value if raw else as_text(value, json.dumps(value))
    assert json.loads(result) == stored(target, dest, carried)


@given(values=st.lists(st.tuples(PATHS, SCALARS), max_size=4))
def test_a_payload_is_what_setting_one_after_the_other_gives(
    values: list[tuple[list[str], Any]],
) -> None:
    data = {f"k{n}": value for n, (_, value) in enumerate(values)}
    compiled = compile_parameters(
        [
            parameter(
                src={"dependencyName": "d", "dataKey": f"k{n}", "useRawData": True},
                dest=".".join(dest),
            )
            for n, (dest, _) in enumerate(values)
        ]
    )
    expected: Any = None
    for dest, value in values:
        expected = stored(expected, dest, value)

    payload = parameters.build_payload(compiled, {"d": event(data)})

    assert (None if payload is None else json.loads(payload)) == expected


@given(text=st.text(max_size=20), before=st.text(max_size=20))
def test_append_and_prepend_join_texts(text: str, before: str) -> None:
    for operation, expected in (("append", before + text), ("prepend", text + before)):
        compiled = compile_parameters(
            [parameter(src={"dependencyName": "d", "dataKey": "k"}, dest="x", operation=operation)]
        )
        result = parameters.apply(json.dumps({"x": before}), compiled, {"d": event({"k": text})})
        assert json.loads(result) == {"x": expected}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"dataKey": "k", "contextKey": "subject"}, "v"),
        (
            {"dataTemplate": "{{ .Input.k }}!", "contextTemplate": "{{ .Input.subject }}"},
            "v!",
        ),
        ({"dataTemplate": "{{ .Input.name.non_exist }}", "dataKey": "k"}, "v"),
        ({"dataTemplate": "{{ no }}", "dataKey": "k"}, "v"),
        ({"dataTemplate": "{{ .Input.n }}"}, "1e+06"),
        ({"dataKey": "big"}, "12345678901234567890"),
        ({"value": "default"}, "default"),
    ],
)
def test_data_comes_before_context_and_a_key_after_a_failed_template(
    source: dict[str, str], expected: str
) -> None:
    data = {"k": "v", "n": 1000000, "big": 12345678901234567890, "name": "x"}
    compiled = compile_parameters([parameter(src={"dependencyName": "d", **source}, dest="x")])

    assert json.loads(parameters.apply("{}", compiled, {"d": event(data)})) == {"x": expected}


def test_a_failed_data_template_does_not_fall_back_to_the_context() -> None:
    source = {"dependencyName": "d", "contextKey": "subject", "dataTemplate": "{{ .Input.no }}"}
    compiled = compile_parameters([parameter(src=source, dest="x")])

    with pytest.raises(ParameterError):
        parameters.apply("{}", compiled, {"d": event({})})


@pytest.mark.parametrize("operation", ["", "append", "nonsense"])
def test_a_parameter_of_a_dependency_that_did_not_come_is_skipped_whatever_its_operation(
    operation: str,
) -> None:
    source = {"dependencyName": "gone", "dataKey": "k"}
    compiled = compile_parameters([parameter(src=source, dest="x", operation=operation)])

    assert parameters.apply('{"x":"y"}', compiled, {"d": event({"k": "v"})}) == '{"x":"y"}'


@pytest.mark.parametrize(
    ("target", "dest", "value", "expected"),
    [
        ({"p": [{"v": 1}, {"v": 2}]}, "p.#.v", "z", {"p": [{"v": "[1,2]z"}, {"v": "[1,2]z"}]}),
        ({"x": "Years: "}, "x", 100, {"x": "Years: 100"}),
        ({}, "x", [1, 2], {"x": [1, 2]}),
        ({"x": None}, "x", "z", {"x": "z"}),
        ({"x": {"a": 1}}, "x", "z", {"x": '{"a":1}z'}),
        ({"x": 5}, "x", "z", {"x": "5z"}),
    ],
)
def test_append_joins_the_text_of_what_is_there(
    target: Any, dest: str, value: Any, expected: Any
) -> None:
    source = {"dependencyName": "d", "dataKey": "k", "useRawData": True}
    compiled = compile_parameters([parameter(src=source, dest=dest, operation="append")])
    text = json.dumps(target, separators=(",", ":"))

    assert json.loads(parameters.apply(text, compiled, {"d": event({"k": value})})) == expected


def test_a_query_sets_only_what_is_there() -> None:
    source = {"dependencyName": "d", "dataKey": "k"}
    compiled = compile_parameters([parameter(src=source, dest='p.#(name=="y").value')])
    target = '{"p":[{"name":"y"}]}'

    assert parameters.apply(target, compiled, {"d": event({"k": "v"})}) == target


def test_a_payload_entry_of_a_dependency_that_did_not_come_is_left_out() -> None:
    compiled = compile_parameters(
        [
            parameter(src={"dependencyName": "gone", "dataKey": "a"}, dest="a"),
            parameter(src={"dependencyName": "d", "dataKey": "k"}, dest="k"),
        ]
    )

    assert parameters.build_payload(compiled, {"d": event({"k": 1})}) == b'{"k":"1"}'


def test_a_path_that_starts_with_a_dollar_is_jsonpath() -> None:
    compiled = compile_parameters(
        [
            parameter(
                src={"dependencyName": "d", "dataKey": "$..sha", "useRawData": True}, dest="shas"
            )
        ]
    )
    data = {"commits": [{"sha": "a"}, {"sha": "b"}]}

    payload = parameters.build_payload(compiled, {"d": event(data)})

    assert json.loads(payload or b"") == {"shas": ["a", "b"]}


async def test_a_parameter_may_change_a_block_with_a_duration() -> None:
    from tiphys.manifests.sensor import Trigger as TriggerManifest
    from tiphys.sensors.plan import plan_action
    from tiphys.sensors.rendering import Renderer
    from tiphys.triggers.exec import Exec

    source = {"dependencyName": "d", "dataKey": "k"}
    block = {
        "command": ["true"],
        "timeout": "1m30s",
        "parameters": [{"src": source, "dest": "workingDirectory"}],
    }
    manifest = TriggerManifest.model_validate({"template": {"name": "t", "exec": block}})
    renderer = Renderer(plan_action(manifest), Exec())

    firing = await renderer.render("ns", "sn", "id", {"d": event({"k": "/tmp"})})

    assert (firing.config.timeout, firing.config.working_directory) == (90.0, "/tmp")
