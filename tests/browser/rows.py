"""The rows of the double: a town of a few households, half a day into its market."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

SLOT_S = 900
MARKET_START_S = 1_780_315_200  # 1 June 2026, 12:00 UTC
SLOTS_BEHIND = 48
ZONES = (
    ("town", None, 5),
    ("north", "town", 6),
    ("south", "town", 6),
    ("mill-lane", "north", 7),
    ("station", "north", 7),
    ("harbour", "south", 7),
)
ZONE = "mill-lane"
CURVE = (9, 8, 7, 7, 6, 7, 9, 12, 14, 13, 11, 9, 8, 7, 7, 8, 10, 13, 17, 19, 18, 15, 12, 10)

FIELDS = (
    "balance", "book", "certificates", "claims", "clients", "meters", "myOrders", "myTrades",
    "offerProposal", "oracleNodes", "order", "postings", "prices", "readings", "slot", "slots", "trades",
    "zones",
)  # fmt: skip
Field = Callable[..., object]


def page(rows: Sequence[Any]) -> dict[str, Any]:
    """A connection that holds all its rows."""
    return {
        "edges": [{"cursor": str(number), "node": row} for number, row in enumerate(rows)],
        "nodes": list(rows),
        "pageInfo": {"hasNextPage": False, "endCursor": None},
        "totalCount": len(rows),
    }


class Rows:
    """What the market holds; `empty` is one in which nothing has happened yet."""

    def __init__(self, dids: list[str], *, empty: bool) -> None:
        self.empty = empty
        self.me, *self.others = dids
        self.now_s = MARKET_START_S + 300
        self.block = 812
        self.here = MARKET_START_S
        self.enrolment = {
            "zone": ZONE, "retailer": "northlight", "deposit": "50000000000",
            "fromSlot": self.here + SLOT_S,
        }  # fmt: skip
        self.orders: list[dict[str, Any]] = [] if empty else self._orders()

    def fields(self) -> dict[str, Field]:
        """Root fields that do not depend on who asks."""
        return {name: self._field(name) for name in FIELDS}

    def _field(self, name: str) -> Field:
        def answer(_: object, **given: Any) -> object:
            return self._answer(name, given)

        return answer

    def _answer(self, name: str, given: dict[str, Any]) -> object:
        match name:
            case "zones":
                return self._zones()
            case "slot":
                rows = [] if self.empty else self._slots()
                return next((each for each in rows if each["start"] == given["start"]), None)
            case "book":
                return self._book(given["slot"], given["zone"])
            case "myOrders":
                return page(self._mine(given))
            case "order":
                return next((each for each in self.orders if each["id"] == given["id"]), None)
            case "myTrades" | "trades":
                return page(self._trades(given.get("slot")))
            case "claims":
                return page([] if self.empty else [self._claim()])
            case "balance":
                return self._balance(self.me)
            case "offerProposal":
                return {
                    "slot": given["slot"], "quantity": 0 if self.empty else 1480,
                    "certified": 2500,
                    "basis": "Your surplus at this time of day, measured over seven days.",
                }  # fmt: skip
            case "prices":
                return [] if self.empty else self._prices(given["zone"])
            case "readings":
                return [] if self.empty else self._readings()
            case "oracleNodes":
                return [] if self.empty else self._nodes()
            case _:
                return page([] if self.empty else self._pages(name))

    def _pages(self, name: str) -> list[dict[str, Any]]:
        match name:
            case "slots":
                return self._slots()
            case "postings":
                return self._postings()
            case "certificates":
                return self._certificates()
            case "meters":
                return self._meters()
            case "clients":
                return self._clients()
            case _:
                raise AssertionError(name)

    def market(self, *, writable: bool, rate: int, is_demonstration: bool) -> dict[str, Any]:
        """The market's own row."""
        starts = [self.here + SLOT_S * ahead for ahead in range(2, 10)]
        return {
            "area": "lakeside", "channel": "market", "contract": "market", "currency": "EUR",
            "timeZone": "Europe/Berlin", "slotS": SLOT_S, "marketTime": self.now_s, "rate": rate,
            "engine": "embedded", "writable": writable,
            "sentence": "The embedded ledger takes orders." if writable
            else "The ledger takes no orders at present; what is shown is the last that it said.",
            "block": self.block, "blockTime": self.now_s, "demonstration": is_demonstration,
            "enrols": is_demonstration,
            "publicBook": is_demonstration,
            "openSlots": [
                {"start": s, "gate": s - 900, "priceMin": -500_000, "priceMax": 600_000, "shortfallPenalty": 80_000}
                for s in starts
            ],
        }  # fmt: skip

    def viewer(self, did: str, role: str, *, joined: bool) -> dict[str, Any]:
        """Somebody who is signed in."""
        meters = [self._meter(1, did)] if role == "HOUSEHOLD" and joined else []
        return {
            "did": did, "role": role, "member": None if role == "HOUSEHOLD" else role.lower(),
            "name": None, "meters": meters, "retailer": "northlight" if meters else None,
            "zone": ZONE if meters else None, "locked": False,
        }  # fmt: skip

    def place(self, sheet: dict[str, Any]) -> dict[str, Any]:
        """An order sheet taken, or refused where it asks too much."""
        if any(step[1] == 666 for order in sheet["orders"] for step in order["steps"]):
            return {
                "code": "SELF_CROSSING", "remedy": "Choose another price.", "orders": ["refused"], "transaction": None, "block": None,
                "sentence": "The own bid at 120000 would meet the own ask at 100000 micro/kWh.",
            }  # fmt: skip
        made: list[str] = []
        for order in sheet["orders"]:
            (limit, quantity) = order["steps"][0]
            side = order["side"].upper()
            row = self._order(
                order["id"], order["slot"], side, quantity=quantity, limit=limit, state="LISTED"
            )
            self.orders.insert(0, row)
            made.append(row["id"])
        return {
            "code": "PLACED", "remedy": None, "sentence": "The order stands.", "orders": made,
            "transaction": "t1", "block": self.block,
        }  # fmt: skip

    def _mine(self, given: dict[str, Any]) -> list[dict[str, Any]]:
        if given.get("openOnly"):
            return [order for order in self.orders if order["state"] in {"LISTED", "MATCHED"}]
        return self.orders

    def _zones(self) -> list[dict[str, Any]]:
        return [
            {
                "id": zone, "area": "lakeside", "parent": parent, "gridLevel": level,
                "paused": zone == "harbour" and not self.empty,
                "lastPrice": None if self.empty else 118_000,
                "lastSlot": None if self.empty else self.here,
            }
            for zone, parent, level in ZONES
        ]  # fmt: skip

    def _point(self, slot: int, zone: str) -> dict[str, Any]:
        hour = (slot // 3600) % 24
        nth = [name for name, _, _ in ZONES].index(zone) if zone else 0
        quarter = (slot // SLOT_S) % 4
        return {
            "slot": slot, "zone": zone, "price": CURVE[hour] * 10_000 + quarter * 2_300,
            "volume": 1200 + nth * 2100 + quarter * 310, "orders": 12 + nth, "trades": 7 + nth,
        }  # fmt: skip

    def _prices(self, zone: str) -> list[dict[str, Any]]:
        starts = range(self.here - SLOTS_BEHIND * SLOT_S, self.here + 2 * SLOT_S, SLOT_S)
        return [self._point(start, zone) for start in starts]

    def _slots(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for back in range(-3, 24):
            start = self.here - back * SLOT_S
            phase = ("OPEN", "OPEN", "CLEARED", "CLEARED", "SETTLING")[min(back + 3, 4)]
            phase = "SETTLED" if back > 1 else phase
            done = phase == "SETTLED"
            rows.append({
                "start": start, "phase": phase, "gate": start - 900, "block": 812 - back,
                "zones": [] if phase == "OPEN" else [self._point(start, z) for z, _, _ in ZONES],
                "seeds": [] if phase == "OPEN" else [
                    {"member": member, "state": "WITHHELD" if back == 4 and member == "CityEnergy"
                     else "REVEALED"}
                    for member in ("CityEnergy", "GreenPower", "NordGrid")
                ],
                "settled": 21_430 if done else 0, "residual": 3_120 if done else 0,
                "surplus": 5_010 if done else 0, "minted": 26_440 if done else 0,
                "retired": 21_430 if done else 0, "estimatedMeters": 1 if back == 6 else 0,
            })  # fmt: skip
        return rows

    def _book(self, slot: int, zone: str) -> dict[str, Any]:
        steps: list[tuple[int, int]] = [] if self.empty else [
            (60_000, 900), (80_000, 1500), (100_000, 800), (118_000, 700), (150_000, 1200),
        ]  # fmt: skip
        return {
            "slot": slot, "zone": zone, "block": self.block,
            "clearingPrice": 118_000 if steps else None,
            "sells": [{"price": p, "quantity": q} for p, q in steps],
            "buys": [{"price": 260_000 - p, "quantity": q + 150} for p, q in steps],
        }  # fmt: skip

    def _order(
        self, client: str, slot: int, side: str, *, quantity: int, limit: int, state: str
    ) -> dict[str, Any]:
        matched = 0 if state in {"LISTED", "EXPIRED", "CANCELLED"} else quantity
        return {
            "id": f"{slot}.{client}", "clientId": client, "slot": slot, "trader": self.me,
            "meter": "meter-1", "zone": ZONE, "side": side, "quantity": quantity, "limit": limit,
            "steps": [{"price": limit, "quantity": quantity}], "state": state, "matched": matched,
            "settled": matched if state == "SETTLED" else 0, "revision": 0, "leftOut": None,
            "placed": slot - 3600, "expires": None, "block": 790, "trades": [],
        }  # fmt: skip

    def _orders(self) -> list[dict[str, Any]]:
        states = ("LISTED", "MATCHED", "EXECUTING", "SETTLED", "DISPUTED", "EXPIRED", "CANCELLED")
        return [
            self._order(
                f"w-{place}", self.here + (3 - place) * SLOT_S,
                "SELL" if place % 3 else "BUY", quantity=420 + 90 * place,
                limit=100_000 + 4_000 * place, state=state,
            )
            for place, state in enumerate(states)
        ]  # fmt: skip

    def _trades(self, slot: int | None) -> list[dict[str, Any]]:
        if self.empty:
            return []
        slots = [slot] if slot is not None else [self.here - back * SLOT_S for back in range(12)]
        return [
            {
                "id": f"{start}.{number}", "slot": start, "number": number,
                "side": "SELL" if number else "BUY", "counterparty": self.others[0],
                "buyer": self.others[0] if number else self.me,
                "seller": self.me if number else self.others[1], "buyMeter": "meter-2",
                "sellMeter": "meter-1", "quantity": 420 if number else 130,
                "buyPrice": 124_000, "sellPrice": 118_000, "relation": "local",
                "settled": None if start >= self.here else 420 if number else 130,
                "state": "EXECUTING" if start >= self.here else "SETTLED", "block": 800,
                "postings": [],
            }
            for start in slots
            for number in ((1,) if start == self.here else (0, 1))
        ]  # fmt: skip

    def _balance(self, owner: str) -> dict[str, Any]:
        full = {"amount": "50842310000", "available": "50342310000", "reserved": "500000000"}
        full["claims"] = "1200000"
        none = dict.fromkeys(full, "0")
        return {
            "owner": owner, **(none if self.empty else full), "minted": 9_310, "live": 4_120,
            "retired": 5_190, "block": self.block,
        }  # fmt: skip

    def _claim(self) -> dict[str, Any]:
        return {
            "id": "1", "retailer": "northlight", "client": self.me, "amount": "1200000",
            "block": self.block,
        }  # fmt: skip

    def _postings(self) -> list[dict[str, Any]]:
        lines = (
            ("ENERGY", "49560000", {"quantity": 420, "rate": 118_000}),
            ("VAT", "-9416400", {"rule": "TAXED", "taxRate": 190_000, "base": "49560000"}),
            ("SPREAD", "-2520000", {"quantity": 420, "rate": 124_000, "inPrice": 118_000}),
            (
                "FEE", "-1560000",
                {"fee": "grid", "quantity": 130, "rate": 18_000, "inPrice": 6_000},
            ),
            ("RESIDUAL", "-33600000", {"quantity": 120, "rate": 280_000}),
            ("SURPLUS", "13300000", {"quantity": 190, "rate": 70_000}),
            ("CREDIT", "50000000000", {"rule": "PAID", "base": "50000000000"}),
        )  # fmt: skip
        none = {
            "fee": None, "rule": "PRICED", "quantity": 0, "rate": None, "taxRate": None,
            "inPrice": 0, "base": "0", "reference": None, "retailer": None, "cause": "",
        }  # fmt: skip
        return [
            {
                "id": f"{start}.{number}", "slot": None if kind == "CREDIT" else start,
                "account": self.me, "amount": amount, "kind": kind.lower(),
                "trade": None if kind == "CREDIT" else 1, "section": "Who bills whom",
                "explanation": {**none, "kind": kind, **told}, "cause": "", "block": 805 - back,
            }
            for back in range(4)
            for start in (self.here - (back + 2) * SLOT_S,)
            for number, (kind, amount, told) in enumerate(lines)
            if kind != "CREDIT" or back == 3
        ]  # fmt: skip

    def _certificates(self) -> list[dict[str, Any]]:
        return [
            {
                "id": f"c{back}", "slot": self.here - (back + 2) * SLOT_S, "meter": "meter-1",
                "owner": self.me, "zone": ZONE, "source": "solar", "minted": 610 - 20 * back,
                "retired": 420 if back else 0, "block": 805 - back,
            }
            for back in range(8)
        ]  # fmt: skip

    def _reading(self, meter: str, back: int) -> dict[str, Any]:
        return {
            "meter": meter, "slot": self.here - back * SLOT_S,
            "boundary": self.here - (back - 1) * SLOT_S,
            "import": None if back == 7 else 120 + 10 * back, "export": 610 - 20 * back,
            "importRegister": 18_204_120 - 120 * back, "exportRegister": 9_412_880 - 610 * back,
            "generationRegister": None, "quality": "VALIDATED" if back == 6 else "MEASURED",
            "resolution": 1, "block": 811 - back,
        }  # fmt: skip

    def _readings(self) -> list[dict[str, Any]]:
        return [self._reading("meter-1", back) for back in range(1, 20)]

    def _meter(self, number: int, holder: str) -> dict[str, Any]:
        meter = f"meter-{number}"
        sick = number in {5, 9}
        return {
            "id": meter, "zone": ZONES[3 + number % 3][0], "holder": holder,
            "retailer": "northlight" if number % 2 else "southbank", "importPower": 17_000,
            "exportPower": 10_000 if number % 3 else 0, "source": "solar" if number % 3 else "",
            "fromSlot": MARKET_START_S - 86_400,
            "firstSlot": MARKET_START_S - 86_400, "offtaker": None, "retired": False,
            "lastReading": None if self.empty else self._reading(meter, 1),
            "health": None if self.empty else {
                "state": "silent" if sick else "good", "at": self.here - (840 if sick else 20),
                "sentence": "It has not answered since the last slot."
                if sick else "It answers within 12 ms.",
            },
        }  # fmt: skip

    def _meters(self) -> list[dict[str, Any]]:
        return [self._meter(number, self.me) for number in range(1, 13)]

    def _clients(self) -> list[dict[str, Any]]:
        return [
            {
                "did": did, "retailer": "northlight" if number % 2 else "southbank",
                "locked": number == 3, "meters": [self._meter(number, did)],
                "balance": self._balance(did) | ({"amount": "-1250000000"} if number == 2 else {}),
            }
            for number, did in enumerate([self.me, *self.others], 1)
        ]  # fmt: skip

    def _nodes(self) -> list[dict[str, Any]]:
        return [
            {
                "did": did, "state": "silent" if number == 3 else "good",
                "sentence": "Its peers have not heard it for 40 s." if number == 3
                else "It reads 12 meters and agrees with its peers.",
                "lastSlot": self.here - SLOT_S * (2 if number == 3 else 1), "at": self.here,
            }
            for number, did in enumerate([self.me, *self.others][:4])
        ]  # fmt: skip
