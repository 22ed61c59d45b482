"""A gateway's JSON-RPC answers: where values lie, exact numbers, and every way to be wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import httpx
import msgspec
import pytest

from meter_oracle.drivers.driver import RegisterRead
from meter_oracle.drivers.json_rpc import JsonRpcMeter
from meter_oracle.drivers.sources import JsonRpcSource
from meter_oracle.faults import MeterFault
from tests.meter_oracle.judged import JudgedMeter

NOW_NS = 1_781_524_800_000_000_000
SOURCE = JsonRpcSource(
    meter="m",
    url="http://gateway.invalid/rpc",
    method="meter.get",
    params={"id": 3},
    import_at="energy.in",
    export_at="energy.out",
    serial_at="devices.0.serial",
    unit_wh=1000,
)
RESULT = {
    "energy": {"in": 1234.567, "out": 0},
    "devices": [{"serial": "S1"}],
    "at": NOW_NS // 10**9,
}

Handler = Callable[[httpx.Request], httpx.Response]


def answering(result: object, **more: object) -> Handler:
    def handle(request: httpx.Request) -> httpx.Response:
        call = json.loads(request.content)
        body = {"jsonrpc": "2.0", "id": call["id"], "result": result, **more}
        return httpx.Response(200, json={k: v for k, v in body.items() if v is not None})

    return handle


def read(handler: Handler, **settings: object) -> RegisterRead:
    async def body() -> RegisterRead:
        client = httpx.AsyncClient(transport=httpx.MockTransport(handler))
        source = msgspec.structs.replace(SOURCE, **settings)
        driver = JudgedMeter(JsonRpcMeter(source, clock=lambda: NOW_NS, client=client), source)
        try:
            return await driver.read()
        finally:
            await driver.close()

    return asyncio.run(body())


def code_of(handler: Handler, **settings: object) -> str:
    with pytest.raises(MeterFault) as refused:
        read(handler, **settings)
    return refused.value.code


def test_call_is_json_rpc_and_numbers_are_exact() -> None:
    calls: list[dict[str, object]] = []

    def handle(request: httpx.Request) -> httpx.Response:
        calls.append(json.loads(request.content))
        return answering(RESULT)(request)

    got = read(handle)

    assert calls == [{"jsonrpc": "2.0", "id": 1, "method": "meter.get", "params": {"id": 3}}]
    assert (got.import_wh, got.export_wh, got.serial) == (1_234_567, 0, "S1")
    assert got.read_at_ns == NOW_NS


@pytest.mark.parametrize(
    ("energy", "code"),
    [
        ({"in": 1}, "METER_MISSING"),
        ({"in": 1, "out": None}, "METER_VALUE"),
        ({"in": 1, "out": "2"}, "METER_VALUE"),
        ({"in": 1, "out": True}, "METER_VALUE"),
        ({"in": 1, "out": -0.1}, "METER_VALUE"),
        ({"in": 1, "out": 1e30}, "METER_VALUE"),
        ([1, 2], "METER_MISSING"),
        (None, "METER_MISSING"),
    ],
)
def test_register_that_is_no_number_is_no_reading(energy: object, code: str) -> None:
    assert code_of(answering({**RESULT, "energy": energy})) == code


def test_errors_of_the_gateway_have_their_codes() -> None:
    refusal = {"code": -32601, "message": "no such method"}

    assert code_of(answering(None, error=refusal)) == "METER_EXCEPTION"
    assert code_of(lambda _: httpx.Response(502)) == "METER_EXCEPTION"
    assert code_of(answering(RESULT, id=99)) == "METER_GARBLED"
    assert code_of(answering(RESULT, jsonrpc="1.0")) == "METER_GARBLED"
    assert code_of(answering(None)) == "METER_GARBLED"
    assert code_of(lambda _: httpx.Response(200, content=b"<html>")) == "METER_GARBLED"
    assert code_of(lambda _: httpx.Response(200, content=b"[" * 70_000)) == "METER_GARBLED"
    assert code_of(lambda _: httpx.Response(200, content=b"[" * 60_000)) == "METER_GARBLED"


def test_gateway_that_is_not_reached_is_silent() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    assert code_of(handle) == "METER_SILENT"


def test_gateway_that_takes_too_long_is_silent() -> None:
    async def body() -> str:
        forever = asyncio.Event()

        async def handle(_: httpx.Request) -> httpx.Response:
            await forever.wait()
            return httpx.Response(200)

        client = httpx.AsyncClient(transport=httpx.MockTransport(handle))
        source = msgspec.structs.replace(SOURCE, deadline_s=0.05)
        driver = JsonRpcMeter(source, clock=lambda: NOW_NS, client=client)
        with pytest.raises(MeterFault) as refused:
            await driver.read()
        await driver.close()
        return refused.value.code

    assert asyncio.run(body()) == "METER_SILENT"


@pytest.mark.parametrize(("off_s", "code"), [(-3_700, "METER_LATE"), (90, "METER_LATE")])
def test_gateway_with_a_clock_of_its_own_is_held_to_ours(off_s: int, code: str) -> None:
    result = {**RESULT, "at": NOW_NS // 10**9 + off_s}

    assert code_of(answering(result), time_at="at") == code
    assert read(answering(RESULT), time_at="at").uncertainty_ns == 500_000_000


def test_other_serial_is_another_meter() -> None:
    assert code_of(answering(RESULT), serial="S2") == "METER_SERIAL"
