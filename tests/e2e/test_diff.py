"""``tiphys diff`` over the archive of a running instance."""

from __future__ import annotations

from pathlib import Path

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
