"""What sources remember of a directory elsewhere, on a bus that takes small messages only."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path

from tests.integration.bus._servers import NatsServer
from tiphys.bus.jetstream import Endpoint, JetStreamBus
from tiphys.runtime.buses import BusStore
from tiphys.sources import SourceContext
from tiphys.sources._shared.remembered import Remembered, State
from tiphys.testing.sources import FixedSecrets


async def test_a_directory_of_any_size_is_remembered(tmp_path: Path) -> None:
    server = NatsServer(tmp_path / "server", "max_payload: 64KB")
    await server.start()
    bus = JetStreamBus(Endpoint((server.url,)))
    await bus.start()
    secrets = FixedSecrets()
    ctx = SourceContext(
        "ns", "es", "ev", secrets.secret, secrets.config_map, secrets.tls, BusStore(bus, "ns", "es")
    )
    files: dict[str, State] = {f"part-{n}": (n, random.getrandbits(62)) for n in range(30_000)}
    remembered = Remembered(ctx, "place")
    remembered.files = files
    for _ in range(2):
        await remembered.save()
    again = Remembered(dataclasses.replace(ctx, store=BusStore(bus, "ns", "es")), "place")

    assert await again.load()
    assert again.files == files
    await bus.close()
    await server.stop()
