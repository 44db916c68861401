"""``tiphys explain``."""

from __future__ import annotations

import pytest

from tiphys.cli.explain import KINDS, page
from tiphys.errors import UnknownComponentError
from tiphys.sources import sources
from tiphys.triggers import triggers

# Other tests register components of their own.
COMPONENTS = [
    ((kind,), key)
    for kind, registry in (("sources", sources), ("triggers", triggers))
    for key in registry.names()
    if registry.get(key).__module__.startswith("tiphys.")
]


@pytest.mark.parametrize(("kinds", "key"), COMPONENTS)
def test_every_component_has_an_example_and_its_options_there(
    kinds: tuple[str, ...], key: str
) -> None:
    text = page(key, kinds)

    assert "```yaml" in text
    assert "| Option | Type | Default | Meaning |" in text


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownComponentError, match="did you mean 'webhook'"):
        page("webhok", KINDS)
