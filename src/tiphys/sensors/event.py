"""An event as filters, transforms and parameters see it (spec: sensors 3)."""

from __future__ import annotations

import base64
import dataclasses
from datetime import UTC
from functools import cached_property
from typing import Any

import orjson

from tiphys.errors import ParameterError
from tiphys.events import JSON, CloudEvent, parse_time
from tiphys.languages import LanguageError, gjson, yaml_json

YAML = "application/yaml"


class Event:
    """
    A CloudEvent with the readings of it that several steps share, each made once.

    Filters look into :attr:`document` whatever the content type is; parameters go through
    :attr:`data_document`, which depends on it.
    """

    def __init__(self, cloud_event: CloudEvent) -> None:
        self.cloud_event = cloud_event

    @property
    def id(self) -> str:
        """The CloudEvent's id."""
        return self.cloud_event.id

    @property
    def data(self) -> bytes | None:
        """The payload; None when there is none at all."""
        return self.cloud_event.data

    @cached_property
    def document(self) -> gjson.Document:
        """The payload as JSON text, valid or not."""
        return gjson.Document(self.data or b"")

    @cached_property
    def data_document(self) -> gjson.Document:
        """
        The payload as valid JSON, for parameters (spec: sensors 3.3).

        Raises :exc:`ParameterError` when its content type or text does not allow it.
        """
        content_type = self.cloud_event.datacontenttype
        if content_type == JSON:
            if not self.document.valid:
                raise ParameterError("event data is not valid JSON", retryable=False)
            return self.document
        if content_type == YAML:
            try:
                return gjson.Document(yaml_json.convert(self.data or b""))
            except LanguageError as error:
                message = f"failed converting yaml event data to JSON: {error}"
                raise ParameterError(message, retryable=False) from error
        raise ParameterError(f"unsupported event content type: {content_type}", retryable=False)

    @cached_property
    def data_value(self) -> Any:
        """The value of :attr:`data_document`, every number a float: ``.Input`` of templates."""
        return gjson.parse(self.data_document.text).value()

    @cached_property
    def context_json(self) -> str:
        """The context attributes as JSON (spec: sensors 3.2)."""
        event = self.cloud_event
        moment = parse_time(event.time)
        time = None
        if moment is not None and (moment.year, moment.month, moment.day) != (1, 1, 1):
            time = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return orjson.dumps(
            {
                "id": event.id,
                "source": event.source,
                "specversion": event.specversion,
                "type": event.type,
                "datacontenttype": event.datacontenttype,
                "subject": event.subject,
                "time": time,
            }
        ).decode()

    @cached_property
    def context_document(self) -> gjson.Document:
        """:attr:`context_json`, ready for paths."""
        return gjson.Document(self.context_json)

    @cached_property
    def context_value(self) -> Any:
        """The value of :attr:`context_json`: ``.Input`` of context templates."""
        return gjson.parse(self.context_json).value()

    @cached_property
    def json(self) -> str:
        """The whole event: what a parameter without any key gets (spec: sensors 3.2)."""
        data = "null"
        if self.data is not None:
            data = f'"{base64.b64encode(self.data).decode()}"'
        return f'{{"context":{self.context_json},"data":{data}}}'

    def with_data(self, data: bytes | None) -> Event:
        """The event after a transform."""
        changed = dataclasses.replace(self.cloud_event, data=data, datacontenttype=JSON)
        return Event(changed)
