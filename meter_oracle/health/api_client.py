"""Brings words on health from the ledger gateway to an API, over HTTP.

The words are signed, so the client needs no secret, and the API refuses a word that was altered on its
way. If the API does not take a word, the client answers with the code and drops the word; the node sends
its newest findings again later.
"""

from __future__ import annotations

import asyncio
import logging

import httpx
import msgspec

from meter_oracle.peers.messages import OK, Heard

PATH = "/oracle/health"
MEDIA_TYPE = "application/jose"  # RFC 7515 section 9.2.1: one compact JWS
API_UNAVAILABLE = "API_UNAVAILABLE"
TELL_S = 5.0
ANSWER_BYTES_MAX = 4_096
CONNECTIONS_MAX = 31  # one for each node
CODE_CHARACTERS_MAX = 40

log = logging.getLogger("meter_oracle.health")


class _ApiAnswer(msgspec.Struct, frozen=True):
    code: str
    sentence: str = ""


_answers = msgspec.json.Decoder(_ApiAnswer)


class HealthApi:
    """Passes words on to the API at an address."""

    def __init__(self, address: str) -> None:
        """Take `http://host:port` or `https://host`; raises `ValueError` for anything else."""
        self._client = httpx.AsyncClient(
            base_url=base_url(address),
            timeout=TELL_S,
            trust_env=False,
            limits=httpx.Limits(max_connections=CONNECTIONS_MAX),
        )
        self._code = OK

    async def tell(self, token: str) -> str:
        """Pass a word on, as `HealthReceiver` defines it."""
        heard = await self._ask(token)
        if heard.code != self._code:
            level = logging.INFO if heard.code == OK else logging.WARNING
            log.log(level, "the API answers a word on health: %s %s", heard.code, heard.sentence)
            self._code = heard.code
        return heard.code

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def _ask(self, token: str) -> Heard:
        headers = {"Content-Type": MEDIA_TYPE}
        content = bytearray()
        try:
            async with (
                asyncio.timeout(TELL_S),
                self._client.stream("POST", PATH, content=token, headers=headers) as answer,
            ):
                async for piece in answer.aiter_bytes():
                    content += piece
                    if len(content) > ANSWER_BYTES_MAX:
                        return Heard(
                            API_UNAVAILABLE,
                            f"The API's answer is longer than {ANSWER_BYTES_MAX} bytes.",
                        )
            said = _answers.decode(content)
        except (httpx.HTTPError, TimeoutError) as fault:
            return Heard(API_UNAVAILABLE, f"The API cannot be reached: {type(fault).__name__}.")
        except msgspec.MsgspecError:
            return Heard(API_UNAVAILABLE, "The API's answer holds no code.")
        return Heard(said.code[:CODE_CHARACTERS_MAX], said.sentence)


def base_url(address: str) -> httpx.URL:
    """Parse the address of an API; raises `ValueError` if it is invalid."""
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL as fault:
        raise ValueError(f"{address!r} is not http://host:port of an API: {fault}") from None
    if url.scheme not in {"http", "https"} or not url.host or url.path not in {"", "/"}:
        raise ValueError(f"{address!r} is not http://host:port of an API")
    return url
