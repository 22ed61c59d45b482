"""How far the certified power of a meter lets its registers move in a time.

Rules of the contract: "Registers, not differences", 3. `plausible.py` holds the registers of reports
against it, and `exchanges.py` the closing and opening registers of devices.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from chaincode.context import Context
from chaincode.errors import READING_IMPLAUSIBLE
from chaincode.metering.meters import Meter, versions_from
from chaincode.metering.registers import Registers
from chaincode.units import Power, times_exceeded


class PowersFrom(NamedTuple):
    """The certified powers of a meter, W, from a slot on."""

    from_s: int
    import_w: int
    export_w: int


class Powers(NamedTuple):
    """The certified powers of a meter, W, each from a slot on, and the tolerance, ppm."""

    versions: Sequence[PowersFrom]
    tolerance_ppm: int

    def limits_wh(self, first_s: int, end_s: int) -> tuple[int, int]:
        """The import and export that are certified for the time from `first_s` to `end_s`."""
        import_ws = export_ws = 0
        ends = [*(version.from_s for version in self.versions[1:]), end_s]
        for version, version_end_s in zip(self.versions, ends, strict=True):
            seconds = max(0, min(end_s, version_end_s) - max(first_s, version.from_s))
            import_ws += version.import_w * seconds
            export_ws += version.export_w * seconds
        return Power(import_ws).over(1).wh, Power(export_ws).over(1).wh

    def check(
        self, meter: str, passed: Registers, *, first_s: int, end_s: int, steps_wh: int
    ) -> None:
        """Refuse more than the certified energy, the rule's tolerance and `steps_wh`.

        The last is one step of each of the two readings.
        """
        limits_wh = self.limits_wh(first_s, end_s)
        for energy_wh, limit_wh in zip(
            (passed.import_wh, passed.export_wh), limits_wh, strict=True
        ):
            if times_exceeded(energy_wh - steps_wh, limit_wh, self.tolerance_ppm):
                raise READING_IMPLAUSIBLE(meter=meter, energy_wh=energy_wh, limit_wh=limit_wh)


def powers_of(context: Context, meter: Meter, first_s: int, tolerance_ppm: int) -> Powers:
    """The powers of a meter from `first_s` on; a meter that is retired has none."""
    dated: list[PowersFrom] = []
    for version in versions_from(context, meter, first_s):
        powers = version.value
        import_w, export_w = (0, 0) if powers is None else (powers.import_w, powers.export_w)
        dated.append(PowersFrom(version.from_slot, import_w, export_w))
    return Powers(dated, tolerance_ppm)
