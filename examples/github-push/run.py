"""Runs the quickstart pipeline beside a tiny receiver that prints what the sensor sends it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(__file__).parent
RECEIVER = ("127.0.0.1", 12001)
COMMAND = "curl -H 'Content-Type: application/json' -d @{payload} http://127.0.0.1:12000/push"


class Builds(BaseHTTPRequestHandler):
    """Stands in for the build server that the sensor calls."""

    def do_POST(self) -> None:
        """Print the order."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        print(f"\n>>> the build server got: {json.dumps(json.loads(body), indent=4)}\n", flush=True)
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet; what arrives is printed above."""


def main() -> int:
    """Start both and wait for the pipeline to end."""
    tiphys = shutil.which("tiphys", path=Path(sys.executable).parent) or "tiphys"
    try:
        receiver = ThreadingHTTPServer(RECEIVER, Builds)
    except OSError as error:
        print(f"Port {RECEIVER[1]}, where the quickstart's receiver listens: {error.strerror}.")
        return 1
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    pipeline = subprocess.Popen([tiphys, "run", *sys.argv[1:], str(HERE)])
    signal.signal(signal.SIGTERM, lambda *_: pipeline.terminate())
    print(
        "Send it a push, from another terminal:\n\n"
        f"    {COMMAND.format(payload=_shown())}\n\n"
        "The build server's order appears here. Change sensor.yaml while it runs; "
        "Ctrl-C ends it.\n",
        flush=True,
    )
    while True:
        try:
            return pipeline.wait()
        except KeyboardInterrupt:
            continue  # the pipeline got it as well and is finishing its work


def _shown() -> str:
    """The payload's path as one types it here."""
    path = HERE / "push.json"
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


if __name__ == "__main__":
    sys.exit(main())
