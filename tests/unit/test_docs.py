"""The generated parts of the documentation are as fresh as the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.generate import DOCS, fresh, pages


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(DOCS)))
def test_the_options_of_a_page_are_those_of_the_component(page: Path) -> None:
    assert fresh(page) == page.read_text(), "run: python docs/generate.py"


def test_a_page_without_a_place_for_the_table_is_named(tmp_path: Path) -> None:
    page = tmp_path / "webhook.md"
    page.write_text("# webhook\n")

    with pytest.raises(ValueError, match=r"webhook\.md lacks"):
        fresh(page)
