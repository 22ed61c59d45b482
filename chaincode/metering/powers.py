"""The certified powers of a meter, and whether energy between registers is within them.

Rules of the contract: "Registers, not differences", 3. It holds for each device of a meter: from
the measured register before to the closing registers of an exchange, and from its opening registers
on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from chaincode.context import Context
from chaincode.errors import READING_BACKWARDS, READING_IMPLAUSIBLE
from chaincode.metering.meters import Meter, versions_from
from chaincode.metering.registers import Registers, Stretch, runs_back
from chaincode.units import Power, times_exceeded

NOTHING = Registers(0, 0, 0)


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


def certified_powers(context: Context, meter: Meter, *, first_s: int, tolerance_ppm: int) -> Powers:
    """The powers of a meter from a second on; a meter that is retired has none."""
    dated: list[PowersFrom] = []
    for version in versions_from(context, meter, first_s):
        powers = version.value
        import_w, export_w = (0, 0) if powers is None else (powers.import_w, powers.export_w)
        dated.append(PowersFrom(version.from_slot, import_w, export_w))
    return Powers(dated, tolerance_ppm)


def require_forwards(meter: str, boundary: int, passed: Iterable[Stretch]) -> None:
    """Refuse registers of a device that run back."""
    for stretch in passed:
        if runs_back([NOTHING, stretch.energy]):
            raise READING_BACKWARDS(meter=meter, boundary=boundary)


def require_power(
    meter: str, passed: Iterable[Stretch], powers: Powers, *, slot_s: int, steps_wh: int
) -> None:
    """Refuse more than the certified energy, the rule's tolerance and the steps of the readings."""
    for stretch in passed:
        limits_wh = powers.limits_wh(stretch.first, stretch.last + slot_s)
        energies_wh = stretch.energy.import_wh, stretch.energy.export_wh
        for energy_wh, limit_wh in zip(energies_wh, limits_wh, strict=True):
            if times_exceeded(energy_wh - steps_wh, limit_wh, powers.tolerance_ppm):
                raise READING_IMPLAUSIBLE(meter=meter, energy_wh=energy_wh, limit_wh=limit_wh)
