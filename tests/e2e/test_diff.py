"""``tiphys diff`` over the archive of a running instance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aiohttp

from tests._ports import free_port
from tests.e2e._manifests import dependency, dumped, event_source, sensor, webhook
from tests.e2e._program import Program, tiphys


def manifests(least: int) -> str:
    """A sensor that logs orders of at least that total."""
    comparison = {"path": "total", "type": "number", "comparator": ">=", "value": [str(least)]}
    orders = dependency("order", filters={"data": [comparison]})
    return dumped(sensor("orders", [orders], [{"template": {"name": "tell", "log": {}}}]))


async def test_two_versions_are_compared_over_the_archive(program: Program, tmp_path: Path) -> None:
    source = dumped(event_source("web", {"hook": webhook(free_port())}))
    program.write("pipeline.yaml", f"{source}\n---\n{manifests(1000)}")
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(manifests(1000))
    new.write_text(manifests(400))
    await program.start()
    for total in (100, 500, 1500):
        status, output = await tiphys(
            "send", "web", "hook", "-d", f'{{"total": {total}}}', "--api", program.api
        )
        assert status == 0, output

    same = await tiphys("diff", str(old), str(old), "--since", "1h", "--api", program.api)
    status, output = await tiphys("diff", str(old), str(new), "--since", "1h", "--api", program.api)

    assert same == (0, "3 events, no difference\n")
    assert status == 1
    assert "  orders/tell: only NEW acts\n" in output
    assert "    OLD: filtered out for order: total is 500, wanted >= 1000\n" in output
    assert output.endswith("3 events, 1 with other actions\n")


async def test_the_api_compares_like_the_command(program: Program, tmp_path: Path) -> None:
    names = ("web", "shop")
    sources = [event_source(name, {"hook": webhook(free_port())}) for name in names]
    program.write("pipeline.yaml", dumped(*sources))
    await program.start()
    for name in names * 2:
        for total in (100, 500, 1500):
            status, output = await tiphys(
                "send", name, "hook", "-d", f'{{"total": {total}}}', "--api", program.api
            )
            assert status == 0, output
    versions = {"old": {"a.yaml": manifests(1000)}, "new": {"sub/b.yaml": manifests(400)}}
    both = dumped(
        sensor("all", [dependency("o", "shop")], [{"template": {"name": "t", "log": {}}}])
    )
    versions["new"]["all.yaml"] = both
    for version, files in versions.items():
        for name, text in files.items():
            path = tmp_path / version / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    for chosen, changes in (
        ({}, 8),
        ({"source": "shop"}, 6),
        ({"event": "hook", "sensor": "orders"}, 2),
        ({"event": "another"}, 0),
    ):
        options = [f"--{name}={value}" for name, value in chosen.items()]
        arguments = [str(tmp_path / version) for version in versions]
        status, output = await tiphys(
            "diff", *arguments, "--since=1h", "--json", *options, "--api", program.api
        )
        body: dict[str, Any] = {**versions, "since": "1h", **chosen}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{program.api}/api/v1/diff", json=body) as answer,
        ):
            assert answer.status == 200
            found = await answer.json()
        assert len(found["changes"]) == changes
        assert found == json.loads(output)

    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{program.api}/api/v1/diff", json={**body, "since": "2200-01-01"}) as answer,
    ):
        assert await answer.json() == {"events": 0, "changes": []}
