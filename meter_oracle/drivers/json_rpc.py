"""The driver for JSON-RPC 2.0 over HTTP, which many gateways offer.

Copy this module to add a protocol.

Each gateway has its own names, so the source says which method to call and where in the result the
registers are. Numbers are exact (1.25 kWh are 1,250 Wh). A value that is null, missing or not a number is
a fault and never 0.

The module follows the order of a reading: `read` takes the time and asks, `_ask` sends the request,
`_result` checks the envelope, `_decode` builds the `RegisterRead`. Every step that fails raises
`MeterFault` with the address of the gateway, so that its operator knows where to look.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Literal, cast

import httpx
import msgspec

from meter_oracle.drivers.driver import Instruction, RegisterRead
from meter_oracle.drivers.sources import JsonRpcSource
from meter_oracle.faults import FaultCode, MeterFault
from meter_oracle.schedule import NS_PER_S

ANSWER_BYTES_MAX = 65_536
VALUE_MAX_WH = 1 << 62
AHEAD_MAX_S = 60  # a gateway whose clock is further ahead gives no usable time
TEXT_MAX = 64
DIGITS_MAX = 18
ERROR_TEXT_MAX = 200


class _RpcError(msgspec.Struct, frozen=True):
    code: int
    message: str = ""


class _RpcAnswer(msgspec.Struct, frozen=True):
    """An answer as JSON-RPC 2.0 defines it, with either `result` or `error`."""

    jsonrpc: Literal["2.0"]
    id: int | None
    result: object = msgspec.UNSET
    error: _RpcError | None = None


_DECODER = msgspec.json.Decoder(_RpcAnswer, float_hook=Decimal)


class JsonRpcMeter:
    """A meter behind a gateway, read over one connection that stays open.

    Reads queue up; the driver sends one request at a time. `client` replaces the HTTP client that the
    driver would make.
    """

    def __init__(
        self,
        source: JsonRpcSource,
        *,
        clock: Callable[[], int] = time.time_ns,
        client: httpx.AsyncClient | None = None,
    ) -> None:
        self._source = source
        self._clock = clock
        self._client = client
        self._lock = asyncio.Lock()
        self._call = 0

    async def read(self) -> RegisterRead:
        """Read both registers as of now, or of the time that the gateway gives; raises `MeterFault`."""
        async with self._lock:
            loop = asyncio.get_running_loop()
            began_s, before_ns = loop.time(), self._clock()
            try:
                async with asyncio.timeout(self._source.deadline_s):
                    data = await self._ask()
            except TimeoutError:
                raise self._fault(
                    "METER_SILENT", f"did not answer within {self._source.deadline_s} s"
                ) from None
            except httpx.HTTPError as error:
                said = str(error) or type(error).__name__
                raise self._fault("METER_SILENT", f"cannot be reached: {said}") from error
            after_ns, took_s = self._clock(), loop.time() - began_s
            result = self._result(data)
            middle_ns, off_ns = (before_ns + after_ns) // 2, (after_ns - before_ns + 1) // 2
            if self._source.time_at:
                middle_ns, off_ns = self._told_time(result, after_ns), NS_PER_S // 2
            elif took_s > self._source.late_s:
                raise self._fault("METER_LATE", f"took {took_s:.1f} s to answer")
            return self._decode(result, middle_ns, off_ns)

    async def instruct(self, limit_w: int, revert_s: int) -> Instruction:
        """Raise `MeterFault` METER_CONTROL: there is no common call that limits a device."""
        raise self._fault(
            "METER_CONTROL", f"cannot limit a device (to {limit_w} W for {revert_s} s)"
        )

    async def close(self) -> None:
        """Close the connection; the next read opens it again."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _ask(self) -> bytes:
        if self._client is None:
            limits = httpx.Limits(max_connections=1)
            self._client = httpx.AsyncClient(
                limits=limits, timeout=self._source.deadline_s, trust_env=False
            )
        self._call += 1
        call = {
            "jsonrpc": "2.0",
            "id": self._call,
            "method": self._source.method,
            "params": self._source.params,
        }
        async with self._client.stream(
            "POST",
            self._source.url,
            content=msgspec.json.encode(call),
            headers={"content-type": "application/json"},
        ) as answer:
            if not answer.is_success:
                raise self._fault("METER_EXCEPTION", f"answered with status {answer.status_code}")
            data = b""
            async for part in answer.aiter_bytes():
                data += part
                if len(data) > ANSWER_BYTES_MAX:
                    raise self._fault("METER_GARBLED", f"sent more than {ANSWER_BYTES_MAX} bytes")
            return data

    def _result(self, data: bytes) -> object:
        try:
            answer = _DECODER.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, ArithmeticError) as error:
            raise self._fault(
                "METER_GARBLED", f"sent something other than a JSON-RPC answer: {error}"
            ) from error
        if answer.error is not None:
            said = f"{answer.error.message[:ERROR_TEXT_MAX]} ({answer.error.code})"
            raise self._fault("METER_EXCEPTION", f"refused the call: {said}")
        if answer.result is msgspec.UNSET or answer.id != self._call:
            raise self._fault("METER_GARBLED", "answered another call")
        return answer.result

    def _told_time(self, result: object, now_ns: int) -> int:
        told = self._number(result, self._source.time_at)
        time_ns = int(told * NS_PER_S)
        age_s = (now_ns - time_ns) // NS_PER_S
        if age_s > self._source.age_max_s:
            raise self._fault("METER_LATE", f"gave a reading that is {age_s} s old")
        if age_s < -AHEAD_MAX_S:
            raise self._fault("METER_LATE", f"has a clock that is {-age_s} s ahead")
        return time_ns

    def _decode(self, result: object, read_at_ns: int, uncertainty_ns: int) -> RegisterRead:
        return RegisterRead(
            meter=self._source.meter,
            serial=self._serial(result),
            import_wh=self._energy(result, self._source.import_at),
            export_wh=self._energy(result, self._source.export_at),
            read_at_ns=read_at_ns,
            resolution_wh=self._source.resolution_wh,
            uncertainty_ns=uncertainty_ns,
        )

    def _serial(self, result: object) -> str:
        if not self._source.serial_at:
            return self._source.serial
        told = self._value(result, self._source.serial_at)
        if not isinstance(told, str | int) or len(str(told)) > TEXT_MAX:
            raise self._fault("METER_VALUE", f"gave no serial number at {self._source.serial_at}")
        return str(told)

    def _energy(self, result: object, at: str) -> int:
        value_wh = self._number(result, at) * self._source.unit_wh
        if not 0 <= value_wh < VALUE_MAX_WH:
            raise self._fault("METER_VALUE", f"gave {value_wh} Wh at {at}")
        return int(value_wh)

    def _number(self, result: object, at: str) -> Decimal:
        value = self._value(result, at)
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            said = msgspec.json.encode(value)[:TEXT_MAX].decode(errors="replace")
            raise self._fault("METER_VALUE", f"gave {said} at {at}")
        number = Decimal(value)
        if number.adjusted() > DIGITS_MAX:
            raise self._fault("METER_VALUE", f"gave a number of {number.adjusted()} digits at {at}")
        return number

    def _value(self, result: object, at: str) -> object:
        here: object = result
        for step in at.split("."):
            here = _inside(here, step)
            if here is msgspec.UNSET:
                raise self._fault("METER_MISSING", f"has nothing at {at}")
        return here

    def _fault(self, code: FaultCode, what: str) -> MeterFault:
        return MeterFault(code, f"{self._source.url} {what}.")


def _inside(here: object, step: str) -> object:
    if isinstance(here, dict):
        return cast("dict[str, object]", here).get(step, msgspec.UNSET)
    if isinstance(here, list) and step.isascii() and step.isdigit():
        items = cast("list[object]", here)
        return items[int(step)] if int(step) < len(items) else msgspec.UNSET
    return msgspec.UNSET
