"""Runs all benchmarks, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys

MODULES = ("bus", "pipeline", "languages_paths", "languages_scripts")


def main() -> int:
    """Run them one after the other; the status of the first that fails."""
    for name in sys.argv[1:] or MODULES:
        print(f"\n== {name}\n", flush=True)
        status = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{name}"], check=False
        ).returncode
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
