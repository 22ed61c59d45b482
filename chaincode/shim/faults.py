"""The errors between a contract, the shim and a peer, one class each.

A contract raises `Rejected`, whose status and message reach the submitter. All other errors are
faults: a transaction with a fault is answered with status 500 and changes nothing. The statuses
that the shim itself gives are listed here too.
"""

from __future__ import annotations

OK = 200
REJECTED_MIN = 400  # a peer does not endorse a transaction that is answered with 400 or more
REJECTED_MAX = 499
FAILED = 500  # the handler, or one of its calls to the peer, failed
BUSY = 503  # not started: too many are waiting, or the server is stopping; may be repeated
TIMED_OUT = 504  # over its time; may be repeated


class Rejected(Exception):
    """The contract refuses the transaction: the submitter gets `status` and `message`.

    A `status` outside 400 to 499 raises `ValueError`. The submitter gets the message unchanged
    except for question marks in place of lone surrogates.
    """

    def __init__(self, message: str, status: int = REJECTED_MIN) -> None:
        if not REJECTED_MIN <= status <= REJECTED_MAX:
            raise ValueError(
                f"a rejection has a status from {REJECTED_MIN} to {REJECTED_MAX}, not {status}"
            )
        super().__init__(message, status)
        # A lone surrogate, which JSON text can contain, cannot be encoded in a message.
        self.message = message.encode(errors="replace").decode()
        self.status = status

    def __str__(self) -> str:
        return self.message


class ShimFault(Exception):
    """The transaction cannot continue; nothing of the transaction is endorsed."""


class PeerError(ShimFault):
    """The peer answered a call with an error.

    `request` is the kind of call, such as `GET_STATE`; `sentence` is the peer's message, which may
    name keys.
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
    """A call or an answer is larger than one message may be."""

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(size_bytes, limit_bytes)
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes

    def __str__(self) -> str:
        return f"a message of {self.size_bytes} bytes is over the limit of {self.limit_bytes}"


class TransactionOver(ShimFault):
    """A call belongs to a transaction that was answered, timed out, or lost its stream."""


class ProposalUnreadable(ShimFault):
    """The peer sent a transaction whose proposal or creator cannot be read."""


class SettingsFault(ValueError):
    """The server cannot start with these settings; the message names what is missing or wrong."""
