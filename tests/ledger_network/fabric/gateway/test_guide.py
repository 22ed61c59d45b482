"""The examples of the guide run and do what the page says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ledger_network.fabric.gateway.errors import Outcome
from ledger_network.fabric.gateway.requests import Unsigned
from tests.house.tree import ROOT
from tests.ledger_network.fabric.gateway.papers import user_papers
from tests.ledger_network.fabric.gateway.scripted import tls_papers
from tests.ledger_network.fabric.gateway.stage import Stage, play, user

TEXT = (ROOT / "docs" / "guides" / "gateway-client.md").read_text(encoding="utf-8")


def example(name: str) -> Any:
    """The function of that name in one of the page's boxes."""
    for box in re.findall(r"^```python\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE):
        if f"async def {name}(" in box:
            names: dict[str, Any] = {}
            exec(compile(box, f"the box of {name}", "exec"), names)  # noqa: S102 our own page
            return names[name]
    raise AssertionError(f"no box defines {name}")


def test_first_example_submits_follows_and_asks(tmp_path: Path) -> None:
    for folder, pem in zip(("signcerts", "keystore"), user_papers(), strict=True):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "one.pem").write_bytes(pem)
    roots = tmp_path / "roots.pem"
    roots.write_bytes(tls_papers().certificate)

    async def scene(stage: Stage) -> tuple[bytes, bytes]:
        return await example("example")(tmp_path, roots, stage.north.endpoint.address)

    assert play(scene) == (b"market|get", b"hello")


def test_example_of_events_goes_on_where_it_stopped(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        for payload in (b"a", b"b", b"c"):
            await stage.gateway.submit("market", [b"event", payload])
        follow, place = example("follow"), tmp_path / "checkpoint"

        assert await follow(stage.gateway, place, b"b") == [b"a", b"b"]
        assert await follow(stage.gateway, place, b"c") == [b"c"]

    play(scene)


def test_example_of_a_user_who_signs_elsewhere() -> None:
    async def scene(stage: Stage) -> None:
        device = user().current()

        def sign(unsigned: Unsigned) -> bytes:
            return device.sign(unsigned.message)

        done = await example("submit_for")(stage.gateway, device.certificate, sign)

        assert done.valid

    play(scene)


def test_table_lists_every_outcome() -> None:
    rows = re.findall(r"^\| `([A-Z]+)` \|", TEXT, re.MULTILINE)

    assert rows == [outcome.name for outcome in Outcome]
