"""Dead letters as far as no instance is needed: which are meant, and what a person edits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli._calls import Call
from tiphys.cli.deadletters import edited
from tiphys.errors import TiphysError


@pytest.mark.parametrize("verb", ["replay", "discard"])
@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("abc", "--all"), "name dead letters by their ids, or say --all, not both"),
        (("abc", "--sensor", "s"), "filters such as --sensor go with --all, not with ids"),
        ((), "name dead letters by their ids, or say --all"),
        (("",), "name dead letters by their ids, or say --all"),
        (("--sensor", "s"), "name dead letters by their ids, or say --all"),
    ],
)
def test_what_could_mean_more_than_was_thought_is_refused(
    call: Call, verb: str, arguments: tuple[str, ...], error: str
) -> None:
    done = call("deadletters", verb, *arguments)

    assert done.returncode == 2
    assert error in " ".join(done.stderr.split())


def test_all_dead_letters_at_once_cannot_be_edited(call: Call) -> None:
    done = call("deadletters", "replay", "--all", "--edit")

    assert done.returncode == 2
    assert "--edit is for dead letters that are named, not for --all" in done.stderr


@pytest.mark.parametrize("verb", ["pause", "resume"])
@pytest.mark.parametrize("target", ["", "/", "/trigger", "sensor/"])
def test_a_target_without_its_sensor_or_trigger_is_refused(
    call: Call, verb: str, target: str
) -> None:
    done = call(verb, target)

    assert done.returncode == 2
    assert f"{target!r} is neither SENSOR nor SENSOR/TRIGGER" in done.stderr


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that edits as a script for sed says; the path of the script."""
    program, script = tmp_path / "editor", tmp_path / "script"
    program.write_text(f'#!/bin/sh\nexec sed -i -f {script} "$1"\n')
    program.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(program))
    return script


@pytest.mark.parametrize(
    ("script", "changed"),
    [
        ("", {}),
        ("s/seven/eight/", {"b": {"n": "eight"}}),
        ("s/1.5/true/", {"a": True}),
        ('s/"a"/"c"/', {"c": 1.5}),
    ],
)
def test_only_what_a_person_changed_is_sent(editor: Path, script: str, changed: Any) -> None:
    editor.write_text(script)

    assert edited({"a": 1.5, "b": {"n": "seven"}, "raw": "no JSON in the letter"}) == changed


def test_a_one_that_becomes_true_is_a_change(editor: Path) -> None:
    editor.write_text("s/1/true/")

    assert edited({"a": 1}) == {"a": True}


@pytest.mark.parametrize(
    ("script", "error"),
    [("s/{/[/", "what you wrote is not JSON"), ("c[]", "what you wrote is not a JSON object")],
)
def test_what_is_no_object_of_payloads_is_refused(editor: Path, script: str, error: str) -> None:
    editor.write_text(script)

    with pytest.raises(TiphysError, match=error):
        edited({})
