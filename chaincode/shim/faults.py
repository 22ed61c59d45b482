"""What can go wrong between a contract, the shim and a peer, one class each.

A contract raises `Rejected`; its status and message reach the submitter. All others are faults: a
transaction that meets one is answered with status 500 and changes nothing. The statuses that the
shim itself gives are listed here too.
"""

from __future__ import annotations

OK = 200
REJECTED_MIN = 400  # a peer does not endorse what is answered with 400 or more
REJECTED_MAX = 499
FAILED = 500  # the handler, or a call of it to the peer, failed
BUSY = 503  # not started: too many are waiting, or the server is stopping; may be repeated
TIMED_OUT = 504  # over its time; may be repeated


class Rejected(Exception):
    """The contract refuses the transaction: the submitter gets `status` and `message`.

    A `status` outside 400 to 499 raises `ValueError`. The submitter gets the message unchanged, with
    question marks for lone surrogates.
    """

    def __init__(self, message: str, status: int = REJECTED_MIN) -> None:
        if not REJECTED_MIN <= status <= REJECTED_MAX:
            raise ValueError(
                f"a rejection has a status from {REJECTED_MIN} to {REJECTED_MAX}, not {status}"
            )
        super().__init__(message, status)
        # A lone surrogate, as JSON can smuggle one in, has no form on the wire.
        self.message = message.encode(errors="replace").decode()
        self.status = status

    def __str__(self) -> str:
        return self.message


class ShimFault(Exception):
    """A transaction that cannot continue; nothing of it is endorsed."""


class PeerError(ShimFault):
    """The peer answered a call with an error.

    `request` is the kind of call, as `GET_STATE`; `sentence` is the peer's own, and may name keys.
    """

    def __init__(self, request: str, sentence: str) -> None:
        super().__init__(request, sentence)
        self.request = request
        self.sentence = sentence

    def __str__(self) -> str:
        return f"the peer refused {self.request}: {self.sentence}"


class ReplyTimeout(ShimFault):
    """The peer did not answer a call within `reply_timeout_s`."""


class MessageTooLarge(ShimFault):
    """A call or an answer that is larger than one message may be."""

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(size_bytes, limit_bytes)
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes

    def __str__(self) -> str:
        return f"a message of {self.size_bytes} bytes is over the limit of {self.limit_bytes}"


class TransactionOver(ShimFault):
    """A call of a transaction that has ended: answered, over its time, or its stream is gone."""


class ProposalUnreadable(ShimFault):
    """The peer sent a transaction whose proposal or creator cannot be read."""


class SettingsFault(ValueError):
    """The server cannot start with these settings; the sentence names what is missing or wrong."""
