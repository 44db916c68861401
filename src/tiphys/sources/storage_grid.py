"""
StorageGRID: notifications of a bucket, whose endpoint and configuration are registered.

The tenant takes our endpoint for an SNS server (spec: event sources 7.10).
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, NoReturn
from xml.sax.saxutils import escape

import orjson
from pydantic import Field

from tiphys.aio import capped_backoff, stop
from tiphys.errors import TiphysError
from tiphys.ingest import Reply, Request
from tiphys.manifests.common import TLS, Block, SecretRef, SourceConfig
from tiphys.manifests.webhook import WebhookContext
from tiphys.sources._base import Incoming, PushSource, SourceContext, source
from tiphys.sources._shared.hooks import hook_url
from tiphys.sources._shared.rest import API, APIError, api, escaped, objects
