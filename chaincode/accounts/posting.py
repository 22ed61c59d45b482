"""A posting: one line in the books of an area, with the numbers that its amount is computed from.

`chaincode/settlement/postings.py` decides which postings follow from a trade. The books hold only
numbers; the dashboard explains the numbers in words.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

import msgspec

from chaincode.errors import Broken
from chaincode.state import DidName, Name
from chaincode.units import priced_nano, taxed_nano

ENERGY = "energy"
RESIDUAL = "residual"
SURPLUS = "surplus"
SPREAD = "spread"
PENALTY = "penalty"
FEE = "fee"
VAT = "vat"
DEFAULT = "default"
REPAYMENT = "repayment"
CREDIT = "credit"
DEBIT = "debit"

KINDS_REMEMBERED = 1_024  # names of fees with the kinds of their postings

Rule = Literal["priced", "taxed", "cancelled", "carried", "repaid", "corrected"]
"""How an amount is computed:

- `priced`: `quantity_wh` x (`rate` - `in_price`), both in micro/kWh; exact;
- `taxed`: `base_nano` x `rate` ppm, rounded half away from zero to one nano;
- `cancelled`: `base_nano`, the fee that was fixed when orders gave up `quantity_wh`;
- `carried`: `base_nano`, the amount that a client could not pay, so that its retailer paid it;
- `repaid`: `base_nano`, what a client gave back of such an amount;
- `corrected`: the amount that is due now, less `base_nano`, the amount posted before.
"""


class PostingKind(NamedTuple):
    """A row of the table of kinds: its name, and the section of the rules that the kind follows.

    A kind with `of_fees` is used alone (`vat`) or before the name of a fee (`vat:grid`).
    """

    name: str
    section: str
    of_fees: bool = False


KINDS: tuple[PostingKind, ...] = (
    PostingKind(ENERGY, "Who bills whom"),
    PostingKind(RESIDUAL, "Residual supply"),
    PostingKind(SURPLUS, "Surplus"),
    PostingKind(SPREAD, "The spread of prices"),
    PostingKind(PENALTY, "Undelivered energy"),
    PostingKind(FEE, "Grid fees", of_fees=True),
    PostingKind(VAT, "VAT", of_fees=True),
    PostingKind(DEFAULT, "Claims"),
    PostingKind(REPAYMENT, "Claims"),
    PostingKind(CREDIT, "Payments"),
    PostingKind(DEBIT, "Payments"),
)
"""Every kind of line in the books.

`credit` and `debit` are payments and belong to no slot; `default` and `repayment` are posted by
folding.
"""

_BY_NAME = {kind.name: kind for kind in KINDS}


class Explanation(
    msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True
):
    """What an amount is computed from; `rule` says how, and which of the numbers it uses.

    `rate` is micro/kWh where the rule is `priced` and ppm where it is `taxed`. `in_price`, in
    micro/kWh, is the part of the rate that a price has collected already: for a grid fee the
    tariffs along the path; for the spread, whose rate is the buyer's price, the seller's price.
    `base_nano` is the amount that is taxed, that was fixed, that is carried or repaid, or that was
    posted before a correction.
    """

    rule: Rule
    quantity_wh: int = 0
    rate: int = 0
    in_price: int = 0
    base_nano: int = 0

    @property
    def amount_nano(self) -> int:
        """The amount that the receiver of the line gets and its payer pays.

        Raises `Broken` for a `corrected` line, whose amount also depends on what is due now.
        """
        if self.rule == "priced":
            return priced_nano(self.quantity_wh, micro_per_kwh=self.rate - self.in_price)
        if self.rule == "taxed":
            return taxed_nano(self.base_nano, rate_ppm=self.rate)
        if self.rule == "corrected":
            raise Broken("the amount of a correction is a difference")
        return self.base_nano


class Posting(
    msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True
):
    """One line of the books.

    `account` receives `amount_nano`, or pays it where the amount is negative. `kind` is a name in
    `KINDS`; for a fee and its VAT, `:` and the name of the fee follow. `trade` is the number of
    the trade that the line comes from, if any. `cause` names the correction of the slot that
    posted the line; it is empty on lines that the first settlement posted. On lines that folding
    posted, `cause` is the cause of the claim.
    """

    account: DidName
    amount_nano: int
    kind: Name
    explanation: Explanation
    trade: Name = ""
    cause: Name = ""


def kind_of(kind: str) -> PostingKind:
    """The row of `KINDS` for the kind of a posting, such as `vat:grid`."""
    name, colon, _ = kind.partition(":")
    row = _BY_NAME.get(name)
    if row is None or (colon and not row.of_fees):
        raise Broken(f"a posting of kind {kind!r}")
    return row


@lru_cache(KINDS_REMEMBERED)
def fee_kind(fee: str) -> str:
    """The kind of a posting of a fee, by the fee's own name."""
    return f"{FEE}:{fee}"


@lru_cache(KINDS_REMEMBERED)
def fee_vat_kind(fee: str) -> str:
    """The kind of a posting of the VAT on a fee."""
    return f"{VAT}:{fee}"
