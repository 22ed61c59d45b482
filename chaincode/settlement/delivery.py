"""Who delivers what: delivered against contracted Wh of a slot, and its certificates.

Rules of settlement: "Delivered against contracted", `as_delivered` in `trade_order`, and
"Certificates". Money plays no part here. Another distribution is a function beside
`deliver_in_order` with the same answer: settled Wh per contract.

A slot may be walked page by page: what remains of each meter is reduced in place, so the next
page goes on where the last one stopped and any cut into pages gives the same answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from chaincode.errors import Broken


class Contract(msgspec.Struct, frozen=True, gc=False):
    """What two meters owe each other in a slot.

    `quantity_wh` is the matched energy less what was curtailed.
    """

    id: str
    seller: str
    buyer: str
    quantity_wh: int


class Generation(msgspec.Struct, frozen=True, gc=False):
    """What a plant's meter fed in during a slot, and what may be certified of it.

    `generation_wh` is the reading of its certified generation meter, None without one.
    `certified` is false where the origin is claimed elsewhere, excluded by support, or unknown.
    """

    meter: str
    export_wh: int
    generation_wh: int | None = None
    certified: bool = True


def deliver_in_order(
    contracts: Sequence[Contract], export_wh: dict[str, int], import_wh: dict[str, int]
) -> list[int]:
    """Settled Wh per contract, walking them in match sequence.

    Each gets the least of its quantity, its seller's remaining export and its buyer's remaining
    import. Both dicts are reduced to what remains: at the end the surplus of every seller and
    the residual import of every buyer. A meter without a row, or with less than nothing, is
    `Broken`: readings are completed by estimates before.
    """
    settled: list[int] = []
    for contract in contracts:
        exportable_wh = _remaining(export_wh, contract.seller)
        importable_wh = _remaining(import_wh, contract.buyer)
        wh = min(contract.quantity_wh, exportable_wh, importable_wh)
        if wh < 0:
            raise Broken(f"contract {contract.id} would deliver {wh} Wh")
        export_wh[contract.seller] = exportable_wh - wh
        import_wh[contract.buyer] = importable_wh - wh
        settled.append(wh)
    return settled


def certify(generations: Iterable[Generation]) -> dict[str, int]:
    """Certificates to mint in Wh per meter: min(export, certified generation).

    Without a generation meter that is the export. Meters that get none are left out. The readings
    are those of the whole slot, not what a delivery left of them.
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
    contracts: Sequence[Contract], settled_wh: Sequence[int], live_wh: dict[str, int]
) -> list[int]:
    """Wh of certificates that each contract's buyer retires, in match sequence.

    Each retires its settled Wh, at most what its seller has left of this slot's certificates.
    `live_wh` (by seller's meter, as `certify` gives it) is reduced to what stays live.
    """
    retired: list[int] = []
    for contract, delivered_wh in zip(contracts, settled_wh, strict=True):
        left_wh = live_wh.get(contract.seller, 0)
        wh = min(delivered_wh, left_wh)
        if wh:
            live_wh[contract.seller] = left_wh - wh
        retired.append(wh)
    return retired


def _remaining(remaining_wh: dict[str, int], meter: str) -> int:
    wh = remaining_wh.get(meter)
    if wh is None:
        raise Broken(f"meter {meter} has a contract and no reading")
    return wh
