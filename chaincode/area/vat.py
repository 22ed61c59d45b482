"""VAT of those who supply energy."""

from __future__ import annotations

from typing import Literal

import msgspec


class Vat(msgspec.Struct, frozen=True, gc=False):
    """A supplier's VAT: only a `taxable` one adds it, at its own rate.

    `private` is outside VAT and `small_business` exempt; the difference is the wording on the
    invoice.
    """

    status: Literal["private", "small_business", "taxable"] = "private"
    rate_ppm: int = 0
