"""Transforms of dependencies: which program runs, on what, and when there is nothing to do."""

from __future__ import annotations

import pytest

from tests.conformance.judges._scripts import pool, run
from tiphys.languages import CompileError, EvaluationError
from tiphys.sensors.transforms import compile_transform


@pytest.mark.parametrize(
    ("jq", "script", "result"),
    [
        (".x = 1", None, b'{"a":"b","x":1}'),
        (None, "event.x = 1 return event", b'{"a":"b","x":1}'),
        ("", "return {1, 2}", b"[1,2]"),
        ("{}", "return {1, 2}", b"{}"),
        (None, None, b'{"a": "b"}'),
        ("", "", b'{"a": "b"}'),
    ],
)
def test_jq_comes_first_and_empty_texts_count_as_none(
    jq: str | None, script: str | None, result: bytes
) -> None:
    assert run(compile_transform(jq, script).apply(pool(), b'{"a": "b"}')) == result


@pytest.mark.parametrize(
    ("jq", "script", "data", "result"),
    [
        (".a += 1 | .b *= 2", None, b'{"a":1,"b":"2"}', b'{"a":2,"b":"22"}'),
        (
            None,
            "event.c.d[1]=4 return event",
            b'{"a":1,"b":"2","c":{"d":[3]}}',
            b'{"a":1,"b":"2","c":{"d":[4]}}',
        ),
        (None, "return event", b'{"l":[1,null,[2],"x"]}', b'{"l":[1,"x"]}'),
        (None, "return {1,nil,3}", b"{}", b"[1,null,3]"),
        (None, "return setmetatable({}, {__is_array=true})", b"{}", b"[]"),
    ],
)
def test_the_result_of_a_program_is_the_new_data(
    jq: str | None, script: str | None, data: bytes, result: bytes
) -> None:
    assert run(compile_transform(jq, script).apply(pool(), data)) == result


@pytest.mark.parametrize("fields", [(None, 'return "hello"'), ('error("x")', None)])
def test_a_result_that_is_no_object_is_an_error(fields: tuple[str | None, str | None]) -> None:
    with pytest.raises(EvaluationError):
        run(compile_transform(*fields).apply(pool(), b'{"a": "b"}'))


@pytest.mark.parametrize("fields", [(".", None), (None, "return event"), (None, None)])
def test_an_event_without_data_stays_without(fields: tuple[str | None, str | None]) -> None:
    assert run(compile_transform(*fields).apply(pool(), None)) is None


@pytest.mark.parametrize("fields", [(".", None), (None, "return event")])
def test_data_that_are_no_object_are_an_error(fields: tuple[str | None, str | None]) -> None:
    with pytest.raises(EvaluationError, match="must be a JSON object, not array"):
        run(compile_transform(*fields).apply(pool(), b"[1]"))


@pytest.mark.parametrize("fields", [(".a |", None), (None, "return {")])
def test_a_broken_program_is_found_at_once(fields: tuple[str | None, str | None]) -> None:
    with pytest.raises(CompileError):
        compile_transform(*fields)
