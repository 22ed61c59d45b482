"""The VAT status of parties that supply energy."""

from __future__ import annotations

from typing import Literal

import msgspec

VatStatus = Literal["private", "small_business", "taxable"]


class Vat(msgspec.Struct, frozen=True, gc=False):
    """A supplier's VAT: only a `taxable` supplier adds VAT, at the supplier's own rate.

    A `private` supplier is outside VAT and a `small_business` is exempt; only the wording on the
    invoice differs.
    """

    status: VatStatus = "private"
    rate_ppm: int = 0

    @property
    def taxed_ppm(self) -> int:
        """The rate that the supplier adds."""
        return self.rate_ppm if self.status == "taxable" else 0
