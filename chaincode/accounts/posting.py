"""A posting: one line of the books of an area, with what its amount is computed from.

Which postings follow from a trade is decided in `chaincode/settlement/postings.py`. The books hold
numbers only; `wording.py` puts them into English where a person reads them.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from chaincode.errors import Broken
from chaincode.units import Energy, Money, Price, rate_half_away

ENERGY = "energy"
RESIDUAL = "residual"
SURPLUS = "surplus"
SPREAD = "spread"
FEE = "fee"
VAT = "vat"
DEFAULT = "default"
CREDIT = "credit"
DEBIT = "debit"

Rule = Literal["priced", "taxed", "cancelled", "carried", "corrected"]
"""How an amount is computed:

- `priced`: `quantity_wh` x (`rate` - `in_price`), both in micro/kWh; exact;
- `taxed`: `base_nano` x `rate` ppm, rounded half away from zero to one nano;
- `cancelled`: `base_nano`, the fee that was fixed when orders gave up `quantity_wh`;
- `carried`: `base_nano`, what a client could not pay;
- `corrected`: what is due now, less `base_nano`, what was posted before.
"""


class PostingKind(NamedTuple):
    """A row of the table of kinds: its name and the section of the rules that it follows.

    A kind `of_fees` may stand alone or before the name of a fee: `vat`, `vat:grid`.
    """

    name: str
    section: str
    of_fees: bool = False


KINDS: tuple[PostingKind, ...] = (
    PostingKind(ENERGY, "Who bills whom"),
    PostingKind(RESIDUAL, "Residual supply"),
    PostingKind(SURPLUS, "Surplus"),
    PostingKind(SPREAD, "The spread of prices"),
    PostingKind(FEE, "Grid fees", of_fees=True),
    PostingKind(VAT, "VAT", of_fees=True),
    PostingKind(DEFAULT, "Defaults"),
    PostingKind(CREDIT, "Payments"),
    PostingKind(DEBIT, "Payments"),
)
"""Every kind of line in the books; `credit` and `debit` are payments outside of slots."""

_BY_NAME = {kind.name: kind for kind in KINDS}


class Explanation(
    msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True
):
    """What an amount is computed from; `rule` says how, and which of the numbers count.

    `rate` is micro/kWh where the rule is `priced` and ppm where it is `taxed`. `in_price` is what
    a price has collected of the rate already, in micro/kWh: of a grid fee the tariffs along the
    path, of the spread (whose rate is the buyer's price) the seller's price. `base_nano` is the
    amount that a tax is on, that was fixed or is carried, or that was posted before a correction.
    """

    rule: Rule
    quantity_wh: int = 0
    rate: int = 0
    in_price: int = 0
    base_nano: int = 0

    @property
    def amount(self) -> Money:
        """What the receiver of the line gets; its payer pays the same.

        A `corrected` line is a difference, which needs what is due now as well.
        """
        match self.rule:
            case "priced":
                return Energy(self.quantity_wh) * (Price(self.rate) - Price(self.in_price))
            case "taxed":
                return rate_half_away(Money(self.base_nano), self.rate)
            case "cancelled" | "carried":
                return Money(self.base_nano)
            case "corrected":
                raise Broken("the amount of a correction is a difference")


class Posting(
    msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True
):
    """One line of the books.

    `account` receives `amount_nano` (below zero: pays). `kind` is a name of `KINDS`, with `:` and
    the name of a fee for a fee and its VAT. `trade` is the number of the trade that the line comes
    from, if any. `cause` names the correction of the slot that posted the difference; it is empty
    on what the first settlement posted.
    """

    account: str
    amount_nano: int
    kind: str
    explanation: Explanation
    trade: str = ""
    cause: str = ""


def kind_of(kind: str) -> PostingKind:
    """The row of the table for the kind of a posting, such as `vat:grid`."""
    name, colon, _ = kind.partition(":")
    row = _BY_NAME.get(name)
    if row is None or (colon and not row.of_fees):
        raise Broken(f"a posting of kind {kind!r}")
    return row


def fee_kind(fee: str) -> str:
    """The kind of a posting of a fee, by the fee's own name."""
    return f"{FEE}:{fee}"


def fee_vat_kind(fee: str) -> str:
    """The kind of a posting of the VAT on a fee."""
    return f"{VAT}:{fee}"
