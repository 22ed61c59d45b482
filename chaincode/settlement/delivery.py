"""Delivery in a slot: delivered against contracted Wh, and certificates.

Rules of settlement: "Delivered against contracted", `as_delivered` in `trade_order`, and
"Certificates". This module does not handle money. To add another distribution, write a function
beside `deliver_in_order` that also returns settled Wh per obligation.

A slot may be processed page by page: the functions reduce what remains of each meter in place, so
the next page continues where the last page stopped, and any division into pages gives the same
answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from chaincode.errors import Broken


class Obligation(msgspec.Struct, frozen=True, gc=False):
    """The energy that two meters trade in a slot.

    `quantity_wh` is the matched energy less what was curtailed.
    """

    id: str
    seller: str
    buyer: str
    quantity_wh: int


class Generation(msgspec.Struct, frozen=True, gc=False):
    """What a plant's meter fed in during a slot, and what may be certified of that energy.

    `generation_wh` is the reading of the plant's certified generation meter; None if the plant has
    no such meter. `certified` is false where the origin is claimed elsewhere, excluded by support,
    or unknown.
    """

    meter: str
    export_wh: int
    generation_wh: int | None = None
    certified: bool = True


def deliver_in_order(
    obligations: Sequence[Obligation], export_wh: dict[str, int], import_wh: dict[str, int]
) -> list[int]:
    """Settled Wh per obligation, computed in match sequence.

    Each obligation gets the least of its quantity, its seller's remaining export and its buyer's
    remaining import. Both dicts are reduced to what remains: at the end the surplus of every seller
    and the residual import of every buyer. A meter that is missing or negative raises `Broken`,
    because estimates have replaced missing readings before.
    """
    settled: list[int] = []
    for owed in obligations:
        exportable_wh = _remaining(export_wh, owed.seller)
        importable_wh = _remaining(import_wh, owed.buyer)
        wh = min(owed.quantity_wh, exportable_wh, importable_wh)
        if wh < 0:
            raise Broken(f"obligation {owed.id} would deliver {wh} Wh")
        export_wh[owed.seller] = exportable_wh - wh
        import_wh[owed.buyer] = importable_wh - wh
        settled.append(wh)
    return settled


def undelivered_in_order(
    obligations: Sequence[Obligation], settled_wh: Sequence[int], import_wh: Mapping[str, int]
) -> list[int]:
    """The Wh per obligation that its buyer could have used and its seller did not deliver.

    That is min(quantity, the buyer's remaining import) - settled, where the remaining import is what
    the obligation found in match sequence. `import_wh` is what `deliver_in_order` has left of it after
    the last of the obligations, so they are walked backwards.
    """
    found_wh: dict[str, int] = {}
    undelivered: list[int] = []
    for owed, delivered_wh in zip(reversed(obligations), reversed(settled_wh), strict=True):
        left_wh = found_wh.get(owed.buyer, import_wh[owed.buyer])
        importable_wh = found_wh[owed.buyer] = left_wh + delivered_wh
        undelivered.append(min(owed.quantity_wh, importable_wh) - delivered_wh)
    undelivered.reverse()
    return undelivered


def certify(generations: Iterable[Generation]) -> dict[str, int]:
    """Certificates to mint in Wh per meter: min(export, certified generation).

    Without a generation meter the result is the export. Meters without certificates are left out.
    The readings are those of the whole slot, not what a delivery has left of the readings.
    """
    minted: dict[str, int] = {}
    for plant in generations:
        wh = plant.export_wh
        if plant.generation_wh is not None:
            wh = min(wh, plant.generation_wh)
        if wh < 0:
            raise Broken(f"meter {plant.meter} would mint {wh} Wh")
        if plant.certified and wh:
            minted[plant.meter] = wh
    return minted


def retire_in_order(
    obligations: Sequence[Obligation], settled_wh: Sequence[int], live_wh: dict[str, int]
) -> list[int]:
    """The Wh of certificates that each obligation's buyer retires, in match sequence.

    Each buyer retires the settled Wh, at most what the seller has left of this slot's certificates.
    `live_wh` (by seller's meter, as `certify` returns it) is reduced to what stays live.
    """
    retired: list[int] = []
    for owed, delivered_wh in zip(obligations, settled_wh, strict=True):
        left_wh = live_wh.get(owed.seller, 0)
        wh = min(delivered_wh, left_wh)
        if wh:
            live_wh[owed.seller] = left_wh - wh
        retired.append(wh)
    return retired


def _remaining(remaining_wh: dict[str, int], meter: str) -> int:
    wh = remaining_wh.get(meter)
    if wh is None:
        raise Broken(f"meter {meter} owes or is owed energy and has no reading")
    return wh
