"""The workflow source, against the double of a Kubernetes API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.integration.sources._cluster import Workflows, cluster
from tests.integration.sources._cluster import kubeconfig as kubeconfig
from tiphys.testing.sources import SourceContract


class TestWorkflow(SourceContract):
    key = "workflow"

    @pytest.fixture(autouse=True)
    def _cluster(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig

    @asynccontextmanager
    async def service(self) -> AsyncIterator[Workflows]:
        async with cluster(Workflows, self.kubeconfig) as service:
            yield service
