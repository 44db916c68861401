"""What ``tiphys run`` says when it has started."""

from __future__ import annotations

from collections.abc import Iterable

import typer

from tiphys import __version__
from tiphys.manifests.findings import Finding
from tiphys.runtime.standalone import Standalone

COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}


def banner(instance: Standalone, metrics_port: int, api_host: str, api_port: int) -> str:
    """Which endpoints listen, which sensors are bound to what, and where to look."""
    lines = ["", typer.style(f"Tiphys {__version__}", bold=True), ""]
    lines += _section("Event sources", _sources(instance))
    lines += _section("Sensors", _sensors(instance))
    rows = [
        ("data", str(instance.options.data_dir)),
        ("metrics", f"http://{_address(instance.options.host)}:{metrics_port}/metrics"),
        ("status", f"http://{_address(api_host)}:{api_port}/api/v1/status"),
    ]
    lines += _section("Elsewhere", rows)
    return "\n".join(lines)


def findings_text(findings: Iterable[Finding]) -> str:
    """A line for each finding, and its hint."""
    lines = []
    for finding in findings:
        place = ":".join(str(part) for part in (finding.file, finding.line) if part)
        severity = typer.style(finding.severity, fg=COLOURS[finding.severity], bold=True)
        where = f" (at {finding.path})" if finding.path else ""
        lines.append(f"{place}: {severity}: {finding.message}{where}")
        if finding.hint:
            lines.append(f"    hint: {finding.hint}")
    return "\n".join(lines)


def _section(title: str, rows: list[tuple[str, str]]) -> list[str]:
    width = max((len(name) for name, _ in rows), default=0)
    shown = [f"    {name:<{width}}  {text}" for name, text in rows] or ["    none"]
    return [f"  {typer.style(title, bold=True)}", *shown, ""]


def _sources(instance: Standalone) -> list[tuple[str, str]]:
    rows = []
    host = _address(instance.options.host)
    for source in instance.event_sources.values():
        for status in source.statuses:
            text = status.type
            if status.endpoint:
                text += f"  http://{host}{status.endpoint}"
            if status.error:
                text += typer.style(f"  does not work: {status.error}", fg="red")
            rows.append((f"{source.name}/{status.name}", text))
    return rows


def _sensors(instance: Standalone) -> list[tuple[str, str]]:
    rows = []
    for sensor in instance.sensors.values():
        for status in sensor.statuses.values():
            text = f"{status.type or '?'}  <-  {', '.join(status.events) or 'nothing'}"
            if status.phase == "broken":
                text = typer.style(f"does not work: {status.error}", fg="red")
            rows.append((f"{sensor.name}/{status.name}", text))
    return rows


def _address(host: str) -> str:
    """*host* in a URL; where that is everything, the loopback."""
    reached = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"[{reached}]" if ":" in reached else reached
