"""The manifests in the pages of the components are ones that lint has nothing to say against."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tiphys.manifests.lint import lint
from tiphys.manifests.loader import load_text
from tiphys.runtime.components import InstalledComponents

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(page for kind in ("sources", "triggers") for page in (DOCS / kind).glob("*.md"))
BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.DOTALL | re.MULTILINE)


def manifests(page: Path) -> list[str]:
    """The YAML blocks of a page that are whole manifests."""
    blocks = BLOCK.findall(page.read_text())
    return [block for block in blocks if re.search(r"^kind:", block, re.MULTILINE)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_the_manifests_of_a_page_can_run_as_they_are(page: Path) -> None:
    found = manifests(page)

    assert found, "the page has no whole manifest"
    for text in found:
        loaded = load_text(text, page.name)
        findings = [*loaded.findings, *lint(loaded, InstalledComponents(), strict=True)]
        assert [str(finding) for finding in findings if finding.severity == "error"] == []
