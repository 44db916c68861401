"""``python -m tests.conformance FILE.jsonl...``: print what fails, then one line with the sums."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.conformance._run import run_file


def main(paths: list[str]) -> int:
    passed = failed = 0
    for path in paths:
        for verdict in run_file(Path(path)):
            if verdict.failure is None:
                passed += 1
                continue
            failed += 1
            question = json.dumps(verdict.case["in"], ensure_ascii=True)
            print(f"{path}:{verdict.line}: {question[:400]}\n    {verdict.failure}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
