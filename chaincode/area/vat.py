"""The VAT status of parties that supply energy."""

from __future__ import annotations

from typing import Literal

import msgspec


class Vat(msgspec.Struct, frozen=True, gc=False):
    """A supplier's VAT: only a `taxable` supplier adds VAT, at the supplier's own rate.

    A `private` supplier is outside VAT and a `small_business` is exempt; only the wording on the
    invoice differs.
    """

    status: Literal["private", "small_business", "taxable"] = "private"
    rate_ppm: int = 0
