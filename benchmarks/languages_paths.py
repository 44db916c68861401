"""
Microseconds per evaluation of representative paths on a real push event.

    python -m benchmarks.languages_paths [BODY.json]

"decode" is what the first path on a new event pays; "source" asks for the text of the value too.
"""

from __future__ import annotations

import sys
import timeit
from collections.abc import Callable
from pathlib import Path

from tiphys.languages import gjson, paths, sjson

BODY = Path(__file__).parent.parent / "tests/data/github/push-0.json"
PATHS = (
    "ref",
    "repository.full_name",
    "repository.owner.login",
    "sender.id",
    "repository",
    "commits.0.id",
    "commits.#",
    "commits.#.id",
    'commits.#(author.name!="x")#.id',
    "repository.*_url",
    "{ref,repository.name}",
    "head_commit.@keys",
    "$.repository.owner.login",
    "$.commits[*].id",
    "$..login",
    "missing.key",
)


def microseconds(function: Callable[[], object]) -> float:
    """The best of five rounds of about 20 ms each."""
    timer = timeit.Timer(function)
    number = max(1, int(0.02 / max(timer.timeit(1), 1e-7)))
    return min(timer.repeat(5, number)) / number * 1e6


def main(body: bytes) -> None:
    """Print the table for the event *body*."""
    document = gjson.Document(body)
    print(f"{len(body)} bytes, valid JSON: {document.valid}")
    print(f"{'decode':42}{microseconds(lambda: gjson.Document(body).valid):10.1f}")
    print(f"{'decode to a value':42}{microseconds(lambda: gjson.parse(body).value()):10.1f}")
    print(f"{'path':42}{'value':>10}{'source':>10}")
    for text in PATHS:
        print(f"{text:42}{evaluation(text, document):10.1f}{source(text, document):10.1f}")
    for dest in ("ref", "repository.owner.login", "new.0.key"):
        print(f"{'set ' + dest:42}{setting(document.text, dest):10.1f}")


def evaluation(text: str, document: gjson.Document) -> float:
    """Find out whether the value exists, and what it is if it is a text or number."""
    path = paths.compile(text)
    return microseconds(lambda: path.get(document).exists)


def source(text: str, document: gjson.Document) -> float:
    """Find the source text of the value too."""
    path = paths.compile(text)
    return microseconds(lambda: path.get(document).raw)


def setting(text: str, dest: str) -> float:
    """Set a text."""
    return microseconds(lambda: sjson.set_value(text, dest, "value"))


if __name__ == "__main__":
    main(Path(sys.argv[1]).read_bytes() if len(sys.argv) > 1 else BODY.read_bytes())
