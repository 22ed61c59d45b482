"""Limits the head of an HTTP request, because httptools accepts a head of any length."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES_MAX = 32_768


class HeadTooLong(Exception):
    """The request line and the headers have more than `HEAD_BYTES_MAX` bytes."""


class BoundedHeads(HttpToolsProtocol):
    """One connection; a request whose head is too long is answered with 400 and disconnected."""

    _is_in_head = False
    _head_bytes = 0

    def data_received(self, data: bytes) -> None:
        """Parse the data, and count the bytes of a head that is not complete yet."""
        super().data_received(data)
        if self._is_in_head and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX:
                self.send_400_response("The request's head is too long.")

    def on_message_begin(self) -> None:
        """Count the bytes of a new request's head."""
        self._is_in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Check the whole head. Raises `HeadTooLong`, which the parser turns into a bad request."""
        self._is_in_head = False
        length = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if length > HEAD_BYTES_MAX:
            raise HeadTooLong
        super().on_headers_complete()
