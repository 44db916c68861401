"""What lint is told about the components that there are."""

from __future__ import annotations

import pytest

from tiphys.manifests.common import SourceConfig, TriggerConfig
from tiphys.manifests.lint import lint
from tiphys.manifests.loader import load_text
from tiphys.runtime.components import InstalledComponents
from tiphys.sources import sources
from tiphys.triggers import triggers

COMPONENTS = InstalledComponents()


def test_all_registered_components_are_there() -> None:
    components = InstalledComponents()  # now: other tests register components of their own

    assert set(components.source_keys()) == set(sources.names())
    assert set(components.trigger_keys()) == set(triggers.names())


@pytest.mark.parametrize("key", sorted(triggers.names()))
def test_every_trigger_has_a_model_whose_options_are_described(key: str) -> None:
    model = COMPONENTS.trigger_model(key)

    assert issubclass(model, TriggerConfig)
    assert [name for name, field in model.model_fields.items() if not field.description] == []


@pytest.mark.parametrize("key", sorted(sources.names()))
def test_every_source_has_a_model_whose_options_are_described(key: str) -> None:
    model = COMPONENTS.source_model(key)

    assert issubclass(model, SourceConfig)
    assert COMPONENTS.source_replicas(key) in ("one", "many")
    assert [name for name, field in model.model_fields.items() if not field.description] == []


def test_a_trigger_checks_its_options() -> None:
    model = COMPONENTS.trigger_model("http")

    assert COMPONENTS.check_trigger("http", model.model_validate({"url": "http://localhost"})) == []


def test_what_is_wrong_with_an_option_is_shown_where_the_option_stands() -> None:
    loaded = load_text(
        "apiVersion: argoproj.io/v1alpha1\nkind: EventSource\nmetadata: {name: x}\nspec:\n"
        "  github:\n    g:\n      owner: me\n      repository: r\n"
        "      webhook:\n        endpoint: /a\n        port: http\n"
        "  slack:\n    s:\n      webhook: {endpoint: /b, port: '1', allowedCIDRs: [abc]}\n"
    )
    found = [(finding.path, finding.line) for finding in lint(loaded, COMPONENTS)]

    assert ("spec.github.g.webhook.port", 11) in found
    assert ("spec.slack.s.webhook.allowedCIDRs", 14) in found
