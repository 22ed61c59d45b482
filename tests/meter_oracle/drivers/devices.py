"""One device per protocol, in the state that a test wants: it works, or it fails in some way.

A new driver joins the suite of `test_every_driver.py` by a class here and its row in `DEVICES`.
"""

from __future__ import annotations

import asyncio
import json
import struct
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

from meter_oracle.drivers.sources import FileDropSource, JsonRpcSource, MeterSource, ModbusSource

DEADLINE_S = 2.0


class State(Enum):
    """What a device does when it is asked."""

    WORKS = "works"
    SILENT = "silent"
    GARBLED = "garbled"
    NO_EXPORT = "no export"


class Device(ABC):
    """A device with the registers that a test gives it, Wh."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.import_wh, self.export_wh = 1_000_000, 10_000
        self.serial = "7001"
        self.state = State.WORKS

    @abstractmethod
    async def start(self) -> MeterSource:
        """Answer from now on; return where the device is read."""

    async def show(self) -> None:  # noqa: B027 most devices answer by their state when asked
        """Bring what the driver sees up to date after a change of state or registers."""

    @abstractmethod
    async def stop(self) -> None:
        """Stop answering."""


class ServingDevice(Device):
    """A device that answers on a socket."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._server: asyncio.Server | None = None

    async def listen(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    @abstractmethod
    async def answer(self, reader: asyncio.StreamReader) -> bytes:
        """Read a request and return the answer to it."""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(await self.answer(reader))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


class ModbusDevice(ServingDevice):
    """Registers of the map `eastron`: float32 kWh, and a serial number."""

    async def start(self) -> MeterSource:
        return ModbusSource(
            meter="m", host="127.0.0.1", port=await self.listen(), registers="eastron",
            deadline_s=DEADLINE_S, late_s=DEADLINE_S,
        )  # fmt: skip

    async def answer(self, reader: asyncio.StreamReader) -> bytes:
        request = await reader.readexactly(12)
        transaction, _, _, unit, function, address, _ = struct.unpack(">HHHBBHH", request)
        if self.state is State.SILENT:
            return b""
        if self.state is State.GARBLED:
            return b"HTTP/1.1 400 Bad Request\r\n"
        if self.state is State.NO_EXPORT and address == 0x48:
            return struct.pack(">HHHBBB", transaction, 0, 3, unit, function | 0x80, 2)
        data = struct.pack(">I", int(self.serial))
        if address == 0x48:
            data = struct.pack(">ff", self.import_wh / 1_000, self.export_wh / 1_000)
        head = struct.pack(">HHHBBB", transaction, 0, 3 + len(data), unit, function, len(data))
        return head + data


class GatewayDevice(ServingDevice):
    """A gateway that answers JSON-RPC over HTTP."""

    async def start(self) -> MeterSource:
        return JsonRpcSource(
            meter="m", url=f"http://127.0.0.1:{await self.listen()}/rpc", method="meter.get",
            import_at="in", export_at="out", serial_at="serial", deadline_s=DEADLINE_S,
            late_s=DEADLINE_S,
        )  # fmt: skip

    async def answer(self, reader: asyncio.StreamReader) -> bytes:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length:")[2].partition("\r\n")[0])
        call = json.loads(await reader.readexactly(length))
        if self.state is State.SILENT:
            return b""
        result: dict[str, object] = {"in": self.import_wh, "serial": self.serial}
        if self.state is not State.NO_EXPORT:
            result["out"] = self.export_wh
        body = json.dumps({"jsonrpc": "2.0", "id": call["id"], "result": result}).encode()
        if self.state is State.GARBLED:
            body = b"<html>"
        return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)


class FolderDevice(Device):
    """A program that writes CSV files into a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "drop")
        self._files = 0

    async def start(self) -> MeterSource:
        await self.show()
        return FileDropSource(meter="m", folder=str(self.folder))

    async def show(self) -> None:
        if self.state is State.SILENT:
            return
        await asyncio.to_thread(self.folder.mkdir, exist_ok=True)
        export = "" if self.state is State.NO_EXPORT else self.export_wh
        row = f"m,{self.serial},{datetime.now(UTC).isoformat()},{self.import_wh},{export}\n"
        if self.state is State.GARBLED:
            row = "\0" + row[::-1]
        self._files += 1
        file = self.folder / f"{self._files}.csv"
        await asyncio.to_thread(
            file.write_text, "meter,serial,time,import_wh,export_wh\n" + row, encoding="utf-8"
        )

    async def stop(self) -> None:
        return


DEVICES: Mapping[str, type[Device]] = {
    "modbus": ModbusDevice,
    "json-rpc": GatewayDevice,
    "file-drop": FolderDevice,
}
