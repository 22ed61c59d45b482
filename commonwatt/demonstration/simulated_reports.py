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
    """Makes and records the reports of boundaries, signed by all nodes."""

    def __init__(self, ledger: Ledger, cast: Cast, first_slot: int) -> None:
        self._ledger = ledger
        self._cast = cast
        self._reported_s = 0
        homes = {home.meter: home.profile for home in cast.homes}
        self._curve = HouseholdCurve(homes, simbench_week(), first_slot)

    async def report(self, slot: int) -> None:
        """Have the oracle operator record the registers at both ends of a slot."""
        for boundary_s in (slot, slot + SLOT_S):
            if boundary_s > self._reported_s:
                await self._record(boundary_s)
                self._reported_s = boundary_s

    async def _record(self, boundary_s: int) -> None:
        leaves = self._leaves(boundary_s)
        for start in range(0, len(leaves), LEAVES_MAX):
            report, ordered = make_report(
                leaves[start : start + LEAVES_MAX],
                area=AREA,
                boundary=boundary_s,
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

    def _leaves(self, boundary_s: int) -> list[Leaf]:
        leaves: list[Leaf] = []
        for home in self._cast.homes:
            import_wh, export_wh = self._curve.registers(home.meter, boundary_s * SECOND_NS)
            leaves.append(
                Leaf(
                    boundary=boundary_s,
                    export_wh=export_wh,
                    import_wh=import_wh,
                    meter=home.meter,
                    resolution_wh=1,
                    salt=self._cast.draw.bytes32("salt", boundary_s, home.number).hex(),
                )
            )
        return leaves
