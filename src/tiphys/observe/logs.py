"""Log lines: for people on a terminal, otherwise one JSON object each (control plane 18)."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal, TextIO

import structlog

from tiphys.events import any_json

Format = Literal["auto", "human", "json"]
LEVELS = {"debug": 10, "info": 20, "warn": 30, "warning": 30, "error": 40}


def set_up(form: Format = "auto", level: str = "info", stream: TextIO | None = None) -> None:
    """
    Send the log lines of this process to *stream* (standard output).

    Unknown levels count as ``info``.  Lines of libraries appear from ``warning`` on.
    """
    stream = stream or sys.stdout
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")  # a line must come, whatever is in it
    human = form == "human" or (form == "auto" and stream.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if human else "iso", utc=not human),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *(_for_people(stream) if human else _for_machines()),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("argo-events").setLevel(LEVELS.get(level.lower(), logging.INFO))


def _for_people(stream: TextIO) -> list[structlog.typing.Processor]:
    return [
        _without_logger,
        structlog.dev.ConsoleRenderer(
            colors=stream.isatty(),
            pad_event_to=0,
            exception_formatter=structlog.dev.plain_traceback,
        ),
    ]


def _for_machines() -> list[structlog.typing.Processor]:
    return [structlog.processors.format_exc_info, _json_line]


def _without_logger(
    _logger: object, _name: str, fields: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Drop what is the same on every line."""
    fields.pop("logger", None)
    return fields


def _json_line(_logger: object, _name: str, fields: MutableMapping[str, Any]) -> str:
    """The field names that Argo Events uses, in its order."""
    level = fields.pop("level", "info")
    line = {
        "level": "warn" if level == "warning" else level,
        "ts": fields.pop("timestamp", ""),
        "logger": fields.pop("logger", ""),
        "msg": fields.pop("event", ""),
    }
    line |= {name: value for name, value in fields.items() if name not in line}
    if "exception" in line:
        line["stacktrace"] = line.pop("exception")
    return any_json(line).decode()
