"""HTTP by httptools, whose parser would take a request line or headers of any length."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES_MAX = 32_768


class HeadTooLong(Exception):
    """A request's line and headers have more than `HEAD_BYTES_MAX` bytes."""


class BoundedHeads(HttpToolsProtocol):
    """One connection; a request whose head grows too long is answered by 400 and cut off."""

    _is_in_head = False
    _head_bytes = 0

    def data_received(self, data: bytes) -> None:
        """Parse; what has come of a head that is not whole yet is counted as it comes."""
        super().data_received(data)
        if self._is_in_head and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX:
                self.send_400_response("The request's head is too long.")

    def on_message_begin(self) -> None:
        """A request begins."""
        self._is_in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head is whole. Raises `HeadTooLong`, which the parser takes for a bad request."""
        self._is_in_head = False
        length = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if length > HEAD_BYTES_MAX:
            raise HeadTooLong
        super().on_headers_complete()
