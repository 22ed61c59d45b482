"""The reports of a simulation, in which every node has read every meter and all nodes agree."""

from __future__ import annotations

from chaincode.metering.reports import LEAVES_MAX, Leaf
from commonwatt.demonstration.cast import AREA, ORACLE, SLOT_S, Cast
from commonwatt.demonstration.meter_curve import HouseholdCurve
from commonwatt.demonstration.profiles import simbench_week
from ledger_network.port import Ledger, Member
from meter_oracle.agreement.report import make_report, sign_report

SECOND_NS = 1_000_000_000


class SimulatedReports:
    """Makes and records the report of a slot, signed by all nodes."""

    def __init__(self, ledger: Ledger, cast: Cast, first_slot: int) -> None:
        self._ledger = ledger
        self._cast = cast
        homes = {home.meter: home.profile for home in cast.homes}
        self._curve = HouseholdCurve(homes, simbench_week(), first_slot)

    async def report(self, slot: int) -> None:
        """Have the oracle operator record the readings of a slot."""
        leaves = self._leaves(slot)
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

    def _leaves(self, slot: int) -> list[Leaf]:
        leaves: list[Leaf] = []
        for home in self._cast.homes:
            before = self._curve.registers(home.meter, slot * SECOND_NS)
            after = self._curve.registers(home.meter, (slot + SLOT_S) * SECOND_NS)
            leaves.append(
                Leaf(
                    export_from_wh=before[1],
                    export_to_wh=after[1],
                    import_from_wh=before[0],
                    import_to_wh=after[0],
                    meter=home.meter,
                    quality="measured",
                    resolution_wh=1,
                    salt=self._cast.draw.bytes32("salt", slot, home.number).hex(),
                )
            )
        return leaves
