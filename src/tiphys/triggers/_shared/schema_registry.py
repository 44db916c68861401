"""Schemas of a Confluent-compatible registry, and payloads in the form they describe."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import aiohttp
import orjson
from aiohttp import encode_basic_auth, hdrs
from pydantic import Field

from tiphys.errors import MissingExtraError, TriggerError
from tiphys.manifests.common import BasicAuth, Block
from tiphys.triggers._base import TriggerContext
from tiphys.triggers._shared.http_client import SHOWN, reached
from tiphys.triggers._shared.secrets import retrieving

if TYPE_CHECKING:
    from tiphys.triggers._shared.avro import AvroSchema

KEPT = 64
JSON = "application/vnd.schemaregistry.v1+json, application/json"


class SchemaRegistryBlock(Block):
    """Where a schema is."""

    url: str = Field("", description="The registry.", examples=["http://registry:8081"])
    schema_id: int = Field(0, description="Number of the schema, which must be one of Avro.")
    auth: BasicAuth | None = Field(None, description="User and password, from Secrets.")


class SchemaRegistry:
    """Reads each schema once; a schema never changes."""

    def __init__(self, ctx: TriggerContext, session: aiohttp.ClientSession) -> None:
        self._ctx = ctx
        self._session = session
        self._schemas: OrderedDict[tuple[str, int], AvroSchema] = OrderedDict()

    async def encode(self, block: SchemaRegistryBlock, payload: bytes) -> bytes:
        """
        *payload*, a JSON object, behind the mark of its schema.

        Raises :exc:`TriggerError`.
        """
        schema = await self._schema(block)
        try:
            document = orjson.loads(payload)
        except orjson.JSONDecodeError as error:
            raise TriggerError(f"the payload is not JSON: {error}", retryable=False) from error
        try:
            body = schema.encode(document)
        except ValueError as error:
            message = f"the payload is not of the schema {block.schema_id}: {error}"
            raise TriggerError(message, retryable=False) from error
        return b"\0" + block.schema_id.to_bytes(4, "big") + body

    async def _schema(self, block: SchemaRegistryBlock) -> AvroSchema:
        key = (block.url, block.schema_id)
        if key not in self._schemas:
            self._schemas[key] = await self._read(block)
            if len(self._schemas) > KEPT:
                self._schemas.popitem(last=False)
        return self._schemas[key]

    async def _read(self, block: SchemaRegistryBlock) -> AvroSchema:
        try:
            from tiphys.triggers._shared.avro import AvroSchema  # few need its extra
        except ModuleNotFoundError as error:
            missing = MissingExtraError("trigger", "kafka", error.name or "fastavro")
            raise TriggerError(str(missing), retryable=False) from error
        failed = f"error getting the schema with id '{block.schema_id}'"
        url = f"{block.url.rstrip('/')}/schemas/ids/{block.schema_id}"
        headers = {hdrs.ACCEPT: JSON, **await self._login(block.auth)}

        async def call() -> tuple[int, bytes]:
            async with self._session.get(url, headers=headers) as answer:
                return answer.status, await answer.read()

        status, text = await reached("the schema registry", call)
        if status != 200:
            shown = text.decode(errors="replace")[:SHOWN]
            message = f"{failed}: status {status}: {shown}"
            raise TriggerError(message, retryable=status >= 500 or status == 429)
        try:
            answer = orjson.loads(text)
            if answer.get("schemaType", "AVRO") != "AVRO":
                raise ValueError(f"its type is {answer['schemaType']}, not AVRO")
            if answer.get("references"):
                raise ValueError("it refers to other schemas, which is not supported")
            return AvroSchema(answer["schema"])
        except (ValueError, KeyError, AttributeError) as error:
            raise TriggerError(f"{failed}: {error}", retryable=False) from error

    async def _login(self, auth: BasicAuth | None) -> dict[str, str]:
        if auth is None or auth.username is None or auth.password is None:
            return {}
        with retrieving("login of the schema registry"):
            user = await self._ctx.secret(auth.username)
            password = await self._ctx.secret(auth.password)
        return {hdrs.AUTHORIZATION: encode_basic_auth(user, password, encoding="utf-8")}
