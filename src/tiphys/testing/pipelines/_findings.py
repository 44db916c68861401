"""What is wrong in files, as one error."""

from __future__ import annotations

from collections.abc import Sequence

from tiphys.errors import ManifestError
from tiphys.manifests.findings import Finding


def first_of(errors: Sequence[Finding]) -> ManifestError:
    """The first of some findings as an error, with their number."""
    first = errors[0]
    hint = f" ({first.hint})" if first.hint else ""
    more = f" (and {len(errors) - 1} more)" if errors[1:] else ""
    return ManifestError(
        f"{first.message}{hint}{more}", path=first.path, file=first.file, line=first.line
    )
