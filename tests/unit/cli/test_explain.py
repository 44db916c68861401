"""``tiphys explain``."""

from __future__ import annotations

import pytest

from tiphys.cli.explain import KINDS, page
from tiphys.errors import UnknownComponentError
from tiphys.sources import sources
from tiphys.triggers import triggers

COMPONENTS = [(("sources",), key) for key in sources.names()]
COMPONENTS += [(("triggers",), key) for key in triggers.names()]


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
