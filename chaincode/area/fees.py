"""Which fees apply to which Wh: grid fees, losses and levies as rows of data.

Rules of settlement: "Grid fees". A row names who is paid, for which relation, grid level and
hours, and at which rate. Rates, VAT rates and hours are data that the area posts; this module
contains no such values. `postings.py` decides how a matching row is posted, and how much of the
fee edge tariffs have already collected. This table has no rows for capacity fees per month.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import msgspec

from chaincode.state import CLIENT_PREFIX, DidName, Name
from chaincode.units import PPM, Price, price_rate_up

Relation = Literal["local", "regional", "beyond", "residual"]

TRADE_RELATIONS: tuple[Relation, ...] = ("local", "regional", "beyond")
RELATIONS: tuple[Relation, ...] = (*TRADE_RELATIONS, "residual")
GRID_LEVELS = (3, 4, 5, 6, 7)
HOURS = 24
ROWS_MAX = 400  # rows of an area at one time; a price sheet of a DSO has a few dozen
KIND_MAX = 32  # characters; the kind is part of every posting
ACCOUNT_MAX = 100  # characters; with `vat:` before it, it still names an account
RATE_MAX = 10_000_000  # micro/kWh, 10 currency units per kWh; keeps covers far below 2^62
KIND_CANCEL = "cancel"  # `fee:cancel` is the cancellation fee, which has no row in the table


_ACCOUNT = re.compile(rf"[A-Za-z0-9:._-]{{1,{ACCOUNT_MAX}}}")


class FeeRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """One fee on withdrawn Wh.

    `payee` is the account that gets the fee; it is no client's, because for what a client's account
    takes part in a retailer answers. `supplier` is the party that owes the VAT on the fee
    (None: the payee). `relation` and `grid_level` limit the row (None: any). The row applies where
    from_hour <= local hour < to_hour; where from_hour > to_hour the span passes midnight, and
    equal hours mean that the row never applies. `rate` is micro/kWh, `vat_ppm` parts per million.
    """

    kind: Name
    payee: DidName
    rate: int
    vat_ppm: int = 0
    supplier: DidName | None = None
    relation: Relation | None = None
    grid_level: int | None = None
    from_hour: int = 0
    to_hour: int = HOURS


class RowFault(msgspec.Struct, frozen=True):
    """What is wrong with a list of fee rows.

    `row` is the index of the invalid row, `field` the invalid field, `value` its value and `bound`
    what is allowed. Where two rows of one kind can apply to the same Wh, `field` is `kind` and
    `other` the index of the earlier row.
    """

    row: int
    field: str
    value: str
    bound: str
    other: int | None = None


def relation_of(grid_level: int) -> Relation:
    """The relation of a trade, from the grid level of the lowest zone that contains both sides."""
    if grid_level in (6, 7):
        return "local"
    if grid_level in (4, 5):
        return "regional"
    return "beyond"


def check_rows(rows: Sequence[FeeRow]) -> RowFault | None:
    """The first fault of a list of rows, or None if the list has no fault.

    A fault is a value out of bounds, or two rows of one kind that can apply to the same Wh because
    their relations, grid levels and hours all overlap.
    """
    if len(rows) > ROWS_MAX:
        return RowFault(ROWS_MAX, "rows", str(len(rows)), f"at most {ROWS_MAX} rows")
    taken: dict[tuple[str, Relation, int, int], int] = {}
    for index, row in enumerate(rows):
        fault = _bounds_fault(row, index)
        if fault is not None:
            return fault
        for relation in RELATIONS if row.relation is None else (row.relation,):
            for level in GRID_LEVELS if row.grid_level is None else (row.grid_level,):
                for hour in range(HOURS):
                    if not _covers_hour(row, hour):
                        continue
                    other = taken.setdefault((row.kind, relation, level, hour), index)
                    if other != index:
                        place = f"{relation}, level {level}, hour {hour}"
                        bound = f"one row of a kind; row {other} applies too ({place})"
                        return RowFault(index, "kind", row.kind, bound, other)
    return None


def matching(
    rows: Sequence[FeeRow], *, relation: Relation, grid_level: int | None, local_hour: int
) -> list[FeeRow]:
    """The rows that apply to Wh of a relation, withdrawn at a grid level in a local hour.

    Where `grid_level` is None the meter has no grid level, and only rows for any level apply.
    """
    return [
        row
        for row in rows
        if row.relation in (None, relation)
        and row.grid_level in (None, grid_level)
        and _covers_hour(row, local_hour)
    ]


def fees_of_slot(
    rows: Sequence[FeeRow], *, local_hour: int
) -> dict[tuple[Relation, int | None], list[FeeRow]]:
    """The result of `matching` for every relation and grid level, for a slot with many trades."""
    levels: tuple[int | None, ...] = (None, *GRID_LEVELS)
    return {
        (relation, level): matching(
            rows, relation=relation, grid_level=level, local_hour=local_hour
        )
        for relation in RELATIONS
        for level in levels
    }


def highest_cover(rows: Sequence[FeeRow], *, grid_level: int | None, local_hour: int) -> int:
    """The most that fees with their VAT can add to a bought kWh, in micro/kWh.

    This is the greatest total over the relations that a trade can have; residual supply is not
    covered. VAT is rounded up per row to whole micro/kWh, so that Wh x this price is never less
    than the fees and VAT of those Wh, into however many trades the Wh are split. What edge tariffs
    collect is not deducted, because the buyer pays the tariffs within its limit.
    """
    return max(
        sum(
            row.rate + price_rate_up(Price(row.rate), row.vat_ppm).micro_per_kwh
            for row in matching(
                rows, relation=relation, grid_level=grid_level, local_hour=local_hour
            )
        )
        for relation in TRADE_RELATIONS
    )


def _covers_hour(row: FeeRow, hour: int) -> bool:
    if row.from_hour <= row.to_hour:
        return row.from_hour <= hour < row.to_hour
    return hour >= row.from_hour or hour < row.to_hour


def _bounds_fault(row: FeeRow, index: int) -> RowFault | None:
    kind_fits = 0 < len(row.kind) <= KIND_MAX and row.kind.isprintable() and "/" not in row.kind
    account = f"1 to {ACCOUNT_MAX} letters, digits and : . _ -"
    checks = (
        ("kind", kind_fits, row.kind, f"1 to {KIND_MAX} printable characters without /"),
        ("kind", row.kind != KIND_CANCEL, row.kind, f"any name but {KIND_CANCEL}"),
        ("payee", _is_account(row.payee), row.payee, account),
        ("payee", not row.payee.startswith(CLIENT_PREFIX), row.payee, "no client's account"),
        ("supplier", row.supplier is None or _is_account(row.supplier), row.supplier, account),
        ("relation", row.relation in (None, *RELATIONS), row.relation, ", ".join(RELATIONS)),
        ("grid_level", row.grid_level in (None, *GRID_LEVELS), row.grid_level, "3 to 7"),
        ("from_hour", 0 <= row.from_hour <= HOURS, row.from_hour, f"0 to {HOURS}"),
        ("to_hour", 0 <= row.to_hour <= HOURS, row.to_hour, f"0 to {HOURS}"),
        ("rate", 0 <= row.rate <= RATE_MAX, row.rate, f"0 to {RATE_MAX}"),
        ("vat_ppm", 0 <= row.vat_ppm <= PPM, row.vat_ppm, f"0 to {PPM}"),
    )
    for field, holds, value, bound in checks:
        if not holds:
            return RowFault(index, field, str(value), bound)
    return None


def _is_account(name: str) -> bool:
    return _ACCOUNT.fullmatch(name) is not None
