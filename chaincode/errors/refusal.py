"""Refusals of requests, and `Broken`, the exception for faults in this program."""

from __future__ import annotations

from typing import NamedTuple


class Refused(Exception):
    """A request that the contract does not carry out; no state has changed."""

    def __init__(self, code: str, sentence: str, *, repeatable: bool = False) -> None:
        super().__init__(f"{code}: {sentence}")
        self.code = code
        self.sentence = sentence
        self.repeatable = repeatable

    def __reduce__(self) -> tuple[object, ...]:
        return (_refused, (self.code, self.sentence, self.repeatable))


def _refused(code: str, sentence: str, repeatable: bool) -> Refused:  # noqa: FBT001 pickling passes by position
    return Refused(code, sentence, repeatable=repeatable)


class Broken(Exception):
    """An invariant of this program does not hold; nothing is written, and a fix is needed."""


class Refusal(NamedTuple):
    """A row of the table; calling the row with values for its placeholders gives the exception.

    `remedy` tells a person in plain text what to do. `repeatable` says whether the same request
    may succeed later.
    """

    code: str
    sentence: str
    remedy: str
    repeatable: bool = False

    def __call__(self, **places: object) -> Refused:
        """The exception, with `places` filled into its sentence."""
        return Refused(self.code, self.sentence.format(**places), repeatable=self.repeatable)
