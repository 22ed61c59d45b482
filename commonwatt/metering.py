"""The demonstration's meters: registers that follow the households' profiles, and their reports.

A register is the sum of all slots since the first, so it is known again after a restart without
being stored.
"""

from __future__ import annotations

from chaincode.readings import LEAVES_MAX, Leaf
from commonwatt.demonstration import AREA, ORACLE, SLOT_S, Cast, Home
from commonwatt.profiles import Week, household_energy, simbench_week
from ledger_network.port import Ledger, Member
from meter_oracle.reports import make_report, sign_report


class Meters:
    """Import and export registers of all homes at the boundaries of slots."""

    def __init__(self, cast: Cast, week: Week, first_slot: int) -> None:
        self._cast = cast
        self._week = week
        self._at = first_slot
        self._registers = {home.meter: (0, 0) for home in cast.homes}

    def leaves(self, slot: int) -> list[Leaf]:
        """One leaf per home for `slot`; slots are asked for in rising order."""
        while self._at < slot:
            self._advance()
        if self._at != slot:
            raise ValueError(f"slot {slot} lies before {self._at}")
        before = dict(self._registers)
        self._advance()
        return [self._leaf(home, slot, before) for home in self._cast.homes]

    def _advance(self) -> None:
        for home in self._cast.homes:
            energy = household_energy(self._week, home.profile, self._at)
            import_wh, export_wh = self._registers[home.meter]
            self._registers[home.meter] = (
                import_wh + energy.import_wh,
                export_wh + energy.export_wh,
            )
        self._at += SLOT_S

    def _leaf(self, home: Home, slot: int, before: dict[str, tuple[int, int]]) -> Leaf:
        import_from_wh, export_from_wh = before[home.meter]
        import_to_wh, export_to_wh = self._registers[home.meter]
        return Leaf(
            export_from_wh=export_from_wh,
            export_to_wh=export_to_wh,
            import_from_wh=import_from_wh,
            import_to_wh=import_to_wh,
            meter=home.meter,
            quality="measured",
            resolution_wh=1,
            salt=self._cast.draw.bytes32("salt", slot, home.number).hex(),
        )


class SignedByAll:
    """Reports of a simulation: every node has read every meter and agrees at once."""

    def __init__(self, ledger: Ledger, cast: Cast, first_slot: int) -> None:
        self._ledger = ledger
        self._cast = cast
        self._meters = Meters(cast, simbench_week(), first_slot)

    async def report(self, slot: int) -> None:
        """Have the oracle operator record what the meters show."""
        leaves = self._meters.leaves(slot)
        for start in range(0, len(leaves), LEAVES_MAX):
            report, ordered = make_report(
                leaves[start : start + LEAVES_MAX],
                area=AREA,
                slot=slot,
                oracle=self._cast.oracle,
                channel=self._ledger.channel,
                contract=self._ledger.contract,
            )
            signed = sign_report(report, ordered, self._cast.oracle_keys)
            await self._ledger.submit(
                "record_readings",
                signed.arguments,
                member=Member(ORACLE),
                transient=signed.transient,
            )
