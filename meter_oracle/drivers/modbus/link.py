"""Modbus/TCP from the asking side: one connection, one request at a time, every answer checked.

After the Modbus messaging guide V1.0b: a header of transaction, protocol 0, length and unit, then
function and data. An answer belongs to its request by transaction, unit and function, and its
length is the one that was asked for; anything else is `METER_GARBLED` and ends the connection, so
that an answer to an old question can never pass for a new one. Also after silence.

A connection that fails is tried again after a pause that doubles; asked before that, the link says
so at once. Left out: serial framing over TCP, and broadcasts.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import Sequence
from typing import NamedTuple

from meter_oracle.readings.registers import MeterFault

READ_HOLDING, READ_INPUT, WRITE_MANY = 3, 4, 16
REGISTERS_READ_MAX, REGISTERS_WRITE_MAX = 125, 123  # a frame holds 253 bytes of function and data
FRAME_BYTES_MAX = 260
PAUSE_MIN_S, PAUSE_MAX_S = 0.2, 10.0

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS = 1, 2
_EXCEPTIONS = {
    ILLEGAL_FUNCTION: "it does not know the function",
    ILLEGAL_ADDRESS: "it has no such register",
    3: "it does not take the value",
    4: "it has failed",
    5: "it needs more time",
    6: "it is busy",
    8: "its memory is damaged",
    10: "the gateway has no path to it",
    11: "the gateway gets no answer from it",
}
_HEADER = struct.Struct(">HHHB")
_HEADER_BYTES = _HEADER.size
_READ = struct.Struct(">HHHBBHH")
_UNIT_AT = 6
_EXCEPTION_BIT = 0x80


class Answered(NamedTuple):
    """The data of an answer, and the device's exception, 0 for none."""

    data: bytes
    exception: int


class ExceptionAnswer(MeterFault):
    """The device refused the request; `exception` is its code in the Modbus specification."""

    def __init__(self, where: str, exception: int) -> None:
        meaning = _EXCEPTIONS.get(exception, "it does not say why")
        super().__init__("METER_EXCEPTION", f"{where} refuses: {meaning} (exception {exception}).")
        self.exception = exception


class _Wire(asyncio.Protocol):
    """The bytes of one connection; at most one answer is awaited."""

    def __init__(self, where: str) -> None:
        self.transport: asyncio.Transport | None = None
        self._where = where
        self._buffer = b""
        self._expected = (0, 0, 0)
        self._waiter: asyncio.Future[Answered] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._fail(ConnectionResetError(str(exc) if exc else "the connection was closed"))

    def ask(
        self, frame: bytes, transaction: int, unit: int, function: int
    ) -> asyncio.Future[Answered]:
        """Send a frame; the future ends with its answer, or with why there can be none."""
        if self.transport is None:
            raise ConnectionResetError("the connection was closed")
        self._expected = (transaction, unit, function)
        self._waiter = asyncio.get_running_loop().create_future()
        self.transport.write(frame)
        return self._waiter

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        if len(buffer) < _HEADER_BYTES:
            self._buffer = buffer
            return
        transaction, protocol, length, unit = _HEADER.unpack_from(buffer)
        end = length + _UNIT_AT
        if protocol or length < 3 or end > FRAME_BYTES_MAX:
            self._fail(garbled(self._where, f"header {buffer[:_HEADER_BYTES].hex()}"))
        elif len(buffer) < end:
            self._buffer = buffer
        elif len(buffer) > end or self._waiter is None or self._waiter.done():
            self._fail(garbled(self._where, "more than was asked for"))
        else:
            self._buffer = b""
            self._answer(transaction, unit, buffer)

    def _answer(self, transaction: int, unit: int, frame: bytes) -> None:
        function = frame[_HEADER_BYTES]
        asked = (transaction, unit, function & ~_EXCEPTION_BIT)
        if asked != self._expected:
            self._fail(garbled(self._where, f"the answer to another question, {frame[:8].hex()}"))
        elif self._waiter is not None:
            data = frame[_HEADER_BYTES + 1 :]
            exception = data[0] if function & _EXCEPTION_BIT else 0
            self._waiter.set_result(Answered(data, exception))

    def _fail(self, error: Exception) -> None:
        if self.transport is not None:
            self.transport.abort()
            self.transport = None
        self._buffer = b""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)


def garbled(where: str, what: str) -> MeterFault:
    """The fault of an answer that is none."""
    return MeterFault("METER_GARBLED", f"{where} answered with {what}.")


class ModbusLink:
    """A connection to one device, opened when it is needed.

    Calls must not overlap; deadlines are the caller's. `where` names the device in sentences.
    """

    def __init__(
        self, host: str, port: int, unit: int, *, tls: ssl.SSLContext | None = None
    ) -> None:
        self.where = f"{host}:{port} unit {unit}"
        self._host, self._port, self._unit, self._tls = host, port, unit, tls
        self._wire: _Wire | None = None
        self._transaction = 0
        self._pause_s = 0.0
        self._not_before_s = 0.0

    @property
    def connected(self) -> bool:
        """Whether the next request needs no new connection."""
        return self._wire is not None and self._wire.transport is not None

    async def connect(self) -> None:
        """Open the connection anew; raises `MeterFault` SILENT, at once during a pause."""
        self.drop()
        now_s = asyncio.get_running_loop().time()
        if now_s < self._not_before_s:
            wait_s = self._not_before_s - now_s
            raise MeterFault(
                "METER_SILENT", f"{self.where} is not reached; tried again in {wait_s:.1f} s."
            )
        self.pause()
        try:
            _, wire = await asyncio.get_running_loop().create_connection(
                lambda: _Wire(self.where), self._host, self._port, ssl=self._tls
            )
        except OSError as error:
            raise MeterFault("METER_SILENT", f"{self.where} is not reached: {error}.") from error
        self._wire = wire

    def pause(self) -> None:
        """Count a failure: the next connection is tried after a pause that doubles."""
        self._pause_s = min(max(2 * self._pause_s, PAUSE_MIN_S), PAUSE_MAX_S)
        self._not_before_s = asyncio.get_running_loop().time() + self._pause_s

    async def read(self, function: int, address: int, count: int) -> bytes:
        """The registers from `address` on, 2 bytes each; at most 125.

        Raises `ExceptionAnswer`, or `MeterFault` GARBLED, or `ConnectionError` when the device
        closed the connection, which may be old: then connect and ask again.
        """
        self._transaction = transaction = self._transaction + 1 & 0xFFFF
        frame = _READ.pack(transaction, 0, 6, self._unit, function, address, count)
        data = await self._ask(frame, transaction, function)
        if len(data) != 2 * count + 1 or data[0] != 2 * count:
            self.drop()
            raise garbled(self.where, f"{len(data)} bytes for {count} registers")
        return data[1:]

    async def write(self, address: int, registers: Sequence[int]) -> None:
        """Write holding registers in one request; raises as `read` does."""
        self._transaction = transaction = self._transaction + 1 & 0xFFFF
        count = len(registers)
        body = struct.pack(f">BHHB{count}H", WRITE_MANY, address, count, 2 * count, *registers)
        header = _HEADER.pack(transaction, 0, len(body) + 1, self._unit)
        data = await self._ask(header + body, transaction, WRITE_MANY)
        if data != struct.pack(">HH", address, count):
            self.drop()
            raise garbled(self.where, f"{data.hex()} to a write")

    async def _ask(self, frame: bytes, transaction: int, function: int) -> bytes:
        if self._wire is None:
            raise ConnectionResetError("there is no connection")
        data, exception = await self._wire.ask(frame, transaction, self._unit, function)
        if self._pause_s:
            self._pause_s = self._not_before_s = 0.0
        if exception:
            raise ExceptionAnswer(self.where, exception)
        return data

    def drop(self) -> None:
        """Close the connection at once; an answer that is still on its way is lost."""
        if self._wire is not None and self._wire.transport is not None:
            self._wire.transport.abort()
        self._wire = None
