"""A Modbus/TCP client: one connection, one request at a time, every answer checked.

The client follows the Modbus messaging guide V1.0b: a header of transaction, protocol 0, length and unit,
then function and data. An answer must match its request in transaction, unit, function and length. Any
other answer is METER_GARBLED and ends the connection, so that the answer to an old request never passes
for the answer to a new one. A deadline that passes ends the connection for the same reason.

After a failure the link waits before it connects again; each further failure doubles the pause, and a
request during the pause fails at once. Serial framing over TCP and broadcasts are not supported.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import Sequence
from typing import NamedTuple

from meter_oracle.faults import MeterFault

READ_HOLDING, WRITE_MANY = 3, 16
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
    """The data of an answer, and the device's exception, 0 if there is none."""

    data: bytes
    exception: int


class ExceptionAnswer(MeterFault):
    """The device refused the request; `exception` is its code in the Modbus specification."""

    def __init__(self, where: str, exception: int) -> None:
        meaning = _EXCEPTIONS.get(exception, "it does not say why")
        super().__init__(
            "METER_EXCEPTION", f"{where} refused the request: {meaning} (exception {exception})."
        )
        self.exception = exception


class _Wire(asyncio.Protocol):
    """The bytes of one connection, which waits for at most one answer."""

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
        """Send a frame; the future holds its answer, or the error if none can come."""
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
            self._fail(garbled(self._where, "more than the request asked for"))
        else:
            self._buffer = b""
            self._answer(transaction, unit, buffer)

    def _answer(self, transaction: int, unit: int, frame: bytes) -> None:
        function = frame[_HEADER_BYTES]
        asked = (transaction, unit, function & ~_EXCEPTION_BIT)
        if asked != self._expected:
            self._fail(garbled(self._where, f"the answer to another request, {frame[:8].hex()}"))
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
    """Return the fault for an answer that breaks the protocol."""
    return MeterFault("METER_GARBLED", f"{where} answered with {what}.")


class ModbusLink:
    """A connection to one device.

    The caller connects, keeps deadlines, and makes one call at a time. `where` names the device in
    sentences.
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
        """Return whether there is a connection."""
        return self._wire is not None and self._wire.transport is not None

    async def connect(self) -> None:
        """Open a new connection; raises `MeterFault` METER_SILENT, at once during a pause."""
        self.drop()
        now_s = asyncio.get_running_loop().time()
        if now_s < self._not_before_s:
            wait_s = self._not_before_s - now_s
            raise MeterFault(
                "METER_SILENT",
                f"{self.where} cannot be reached; it is tried again in {wait_s:.1f} s.",
            )
        self.pause()
        try:
            _, wire = await asyncio.get_running_loop().create_connection(
                lambda: _Wire(self.where), self._host, self._port, ssl=self._tls
            )
        except OSError as error:
            raise MeterFault("METER_SILENT", f"{self.where} cannot be reached: {error}.") from error
        self._wire = wire

    def pause(self) -> None:
        """Count a failure: the pause before the next connection doubles."""
        self._pause_s = min(max(2 * self._pause_s, PAUSE_MIN_S), PAUSE_MAX_S)
        self._not_before_s = asyncio.get_running_loop().time() + self._pause_s

    async def read(self, function: int, address: int, count: int) -> bytes:
        """Read `count` registers from `address` on, 2 bytes each, at most 125.

        Raises `ExceptionAnswer`, `MeterFault` METER_GARBLED, or `ConnectionError` if the device closed
        the connection, possibly long ago; the caller should connect and ask again.
        """
        self._transaction = transaction = self._transaction + 1 & 0xFFFF
        frame = _READ.pack(transaction, 0, 6, self._unit, function, address, count)
        data = await self._ask(frame, transaction, function)
        if len(data) != 2 * count + 1 or data[0] != 2 * count:
            self.drop()
            raise garbled(self.where, f"{len(data)} bytes for {count} registers")
        return data[1:]

    async def write(self, address: int, registers: Sequence[int]) -> None:
        """Write holding registers in one request, at most 123; raises what `read` raises."""
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
        """Close the connection at once; an answer on its way is lost."""
        if self._wire is not None and self._wire.transport is not None:
            self._wire.transport.abort()
        self._wire = None
