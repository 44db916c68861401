"""Loading: files, directories, standard input, kinds."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.manifests._support import FewComponents
from tiphys.manifests.lint import lint
from tiphys.manifests.loader import load, load_text
from tiphys.manifests.objects import ConfigMap, EventBus, EventSource, Secret, Sensor

SENSOR = "apiVersion: argoproj.io/v1alpha1\nkind: Sensor\nmetadata: {name: s}\nspec: {}\n"


def messages(text: str) -> list[tuple[str, str]]:
    return [(finding.path, finding.message) for finding in load_text(text).findings]


def test_all_kinds_are_told_apart() -> None:
    loaded = load_text(
        """
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {name: es}
spec: {webhook: {push: {port: "1"}}}
---
apiVersion: argoproj.io/v1alpha1
kind: EventBus
metadata: {name: eb}
spec: {jetstream: {version: latest}}
---
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {name: sn, namespace: ns, labels: {a: b}}
spec: {}
---
apiVersion: v1
kind: Secret
metadata: {name: sec}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: cm}
"""
    )

    assert loaded.findings == []
    assert [type(found) for found in loaded.objects] == [
        EventSource,
        EventBus,
        Sensor,
        Secret,
        ConfigMap,
    ]
    assert loaded.event_sources[0].spec.events == {"webhook": {"push": {"port": "1"}}}
    assert loaded.event_buses[0].spec.driver == "jetstream"
    assert (loaded.sensors[0].name, loaded.sensors[0].namespace) == ("sn", "ns")
    assert (loaded.secrets[0].name, loaded.config_maps[0].name) == ("sec", "cm")


def test_other_kinds_are_kept_without_a_word() -> None:
    loaded = load_text(
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: w}\n"
        "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: i}\n"
        "---\napiVersion: sources.knative.dev/v1\nkind: EventSource\nmetadata: {name: k}\n"
    )

    assert [(other.kind, other.name) for other in loaded.others] == [
        ("Workflow", "w"),
        ("Ingress", "i"),
        ("EventSource", "k"),
    ]
    assert (loaded.objects, loaded.findings) == ([], [])


def test_the_items_of_a_list_are_objects_with_places_of_their_own() -> None:
    loaded = load_text(
        "apiVersion: v1\nkind: List\nitems:\n"
        "- {apiVersion: argoproj.io/v1alpha1, kind: Sensor, metadata: {name: a}, spec: {}}\n"
        "- {apiVersion: argoproj.io/v1alpha1, kind: Sensor, metadata: {name: b}, spec: 5}\n"
    )

    assert [found.name for found in loaded.sensors] == ["a"]
    (finding,) = loaded.findings
    assert (finding.path, finding.line) == ("spec", 5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "kind: Sensor",
            "the apiVersion of Sensor is `argoproj.io/v1alpha1`, but here it is missing",
        ),
        (
            "apiVersion: argoproj.io/v1\nkind: EventBus",
            "the apiVersion of EventBus is `argoproj.io/v1alpha1`, but here it is `argoproj.io/v1`",
        ),
        ("apiVersion: argoproj.io/v1alpha1", "`kind` is missing"),
        (
            "apiVersion: argoproj.io/v1alpha1\nkind: Senosr",
            "there is no kind `Senosr`; did you mean `Sensor`?",
        ),
        ("a: b", "this is no manifest: `apiVersion` and `kind` are missing"),
        ("- a", "a manifest is a mapping with `apiVersion`, `kind` and `metadata`"),
    ],
)
def test_what_was_meant_to_be_a_manifest_is_recognised(text: str, message: str) -> None:
    assert [found for _, found in messages(text)] == [message]


def test_wrong_types_are_told_in_plain_words_with_their_lines() -> None:
    loaded = load_text(SENSOR.replace("spec: {}", "spec:\n  replicas: two\n  triggers: {}\n"))

    assert [(f.path, f.line, f.message) for f in loaded.findings] == [
        ("spec.triggers", 6, "`triggers` must be a list, but is a mapping"),
        ("spec.replicas", 5, "`replicas` must be a whole number, but is the text `two`"),
    ]
    assert loaded.objects == []
    assert loaded.damaged[0].misfits == (("spec", "triggers"), ("spec", "replicas"))


def test_missing_parts_are_named() -> None:
    text = "apiVersion: argoproj.io/v1alpha1\nkind: Sensor\n"

    assert messages(text) == [
        ("metadata", "`metadata` is missing"),
        ("spec", "`spec` is missing"),
    ]


def test_a_key_without_a_value_counts_as_absent() -> None:
    loaded = load_text(SENSOR.replace("spec: {}", "spec:\n  triggers:\n  replicas:\n"))

    assert loaded.findings == []
    assert loaded.sensors[0].spec.triggers == []


def test_values_of_secrets_are_shown_neither_in_findings_nor_in_reprs() -> None:
    loaded = load_text(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n"
        "data: {a: 4711, b: 'hush!', c: [hush]}\n"
        "---\napiVersion: v1\nkind: Secret\nmetadata: {name: t}\nstringData: {a: hush}\n"
    )

    assert [(f.path, f.message) for f in loaded.findings] == [
        ("data.a", "`a` must be a text, but is a number"),
        ("data.b", "`b` is not valid: it is not base64"),
        ("data.c", "`c` must be a text, but is a list"),
    ]
    assert "hush" not in repr(loaded)
    assert "4711" not in repr(loaded)


def test_values_of_secrets_and_config_maps_are_decoded() -> None:
    loaded = load_text(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n"
        "data: {a: aGk=, b: aGk=}\nstringData: {b: plain}\n"
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"
        "data: {a: x}\nbinaryData: {b: aGk=}\n"
    )

    assert loaded.secrets[0].spec.values() == {"a": b"hi", "b": b"plain"}
    assert loaded.config_maps[0].spec.values() == {"a": b"x", "b": b"hi"}


def test_directories_are_read_in_order_without_hidden_files_and_tests(tmp_path: Path) -> None:
    for name in ["b.yaml", "a/z.yml", "c.JSON", ".hidden.yaml", ".git/x.yaml", "s.test.yaml"]:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(SENSOR)
    (tmp_path / "notes.txt").write_text("not YAML: [")
    (tmp_path / "values.yaml").write_text("a: b")
    (tmp_path / "loop").symlink_to(tmp_path / "a")

    loaded = load([tmp_path])

    assert [str(Path(file).relative_to(tmp_path)) for file in loaded.files] == [
        "a/z.yml",
        "b.yaml",
        "c.JSON",
        "values.yaml",
    ]
    assert loaded.findings == []


def test_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(SENSOR)

    assert len(load([tmp_path / "s.yaml", tmp_path]).sensors) == 1


def test_standard_input_is_read() -> None:
    loaded = load(["-"], stdin=io.BytesIO(SENSOR.encode()))

    assert (loaded.files, len(loaded.sensors)) == (["<stdin>"], 1)


def test_what_cannot_be_read_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"a: 1\nb: \xe9\n")
    (tmp_path / "empty.yaml").write_text("# nothing\n")

    loaded = load([tmp_path / name for name in ("no.yaml", "latin.yaml", "empty.yaml")])

    assert [(f.rule, Path(f.file).name, f.line, f.message) for f in loaded.findings] == [
        ("unreadable", "no.yaml", None, "cannot be read: no such file or directory"),
        ("syntax", "latin.yaml", 2, "this line is not UTF-8 text"),
        ("empty", "empty.yaml", None, "there is no manifest in this file"),
    ]


def test_a_directory_without_manifests_is_pointed_out(tmp_path: Path) -> None:
    (finding,) = load([tmp_path]).findings

    assert finding.message.startswith("there are no manifests (.yaml, .yml, .json)")


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SENSOR.encode())

    assert len(load([path]).sensors) == 1


WORDS = """
    apiVersion kind metadata spec name dependencies triggers template filters data value http
    webhook conditions parameters src dest items retryStrategy policy jetstream nats
"""
KEYS = st.sampled_from(WORDS.split())
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["Sensor", "EventSource", "EventBus", "Secret", "List", "a", "", "a && b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=200)
@given(
    st.sampled_from(["Sensor", "EventSource", "EventBus", "Secret", "ConfigMap"]),
    VALUES,
    VALUES,
)
def test_no_manifest_makes_loading_or_linting_raise(
    kind: str, metadata: object, spec: object
) -> None:
    version = "v1" if kind in ("Secret", "ConfigMap") else "argoproj.io/v1alpha1"
    text = json.dumps({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec})

    loaded = load_text(text)

    for strict in (True, False):
        for finding in lint(loaded, FewComponents(), strict=strict, portable=strict):
            assert finding.message


@given(st.text(max_size=80))
def test_no_text_makes_loading_raise(text: str) -> None:
    for finding in load_text(text).findings:
        assert finding.message
