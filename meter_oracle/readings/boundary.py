"""A meter's register at the boundary of a slot, from one look before it and one after it.

A register never runs back, and never rises faster than the meter is certified for. So between two
looks the register at the boundary b lies in

    [max(r0, r1 - P (t1 - b)), min(r1, r0 + P (b - t0))]

widened by the resolution and by the uncertainty of each look's time. The value is the linear
interpolation of the two looks, clamped to that interval. The width of the interval says how precise the
value is: after a late answer the interval is still narrow if little energy was used, and too wide if much
was used. So no time limit is needed for late answers.

All times here are market time in nanoseconds, energies Wh, powers W.
"""

from __future__ import annotations

from typing import NamedTuple

WATT_NS_PER_WH = 3_600 * 1_000_000_000


class Look(NamedTuple):
    """A reading that is believed; its time is `at_ns`, give or take `uncertainty_ns`."""

    at_ns: int
    uncertainty_ns: int
    import_wh: int
    export_wh: int
    resolution_wh: int


class AtBoundary(NamedTuple):
    """Both registers at a boundary, and how far each may be off (Wh)."""

    import_wh: int
    export_wh: int
    import_off_wh: int
    export_off_wh: int
    resolution_wh: int


def most_wh(power_w: int, span_ns: int) -> int:
    """Return the energy of `power_w` over a span, rounded up to whole Wh."""
    return -(-power_w * max(0, span_ns) // WATT_NS_PER_WH)


def at_boundary(
    before: Look, after: Look, boundary_ns: int, *, import_w: int, export_w: int
) -> AtBoundary:
    """Return the registers at `boundary_ns`, between two looks in order; neither may run back.

    Raises `ValueError` if the looks do not enclose the boundary.
    """
    if not before.at_ns <= boundary_ns <= after.at_ns:
        raise ValueError("the looks do not enclose the boundary")
    import_wh, import_off_wh = _register(
        before, after, boundary_ns, ends_wh=(before.import_wh, after.import_wh), power_w=import_w
    )
    export_wh, export_off_wh = _register(
        before, after, boundary_ns, ends_wh=(before.export_wh, after.export_wh), power_w=export_w
    )
    resolution_wh = max(before.resolution_wh, after.resolution_wh)
    return AtBoundary(import_wh, export_wh, import_off_wh, export_off_wh, resolution_wh)


def _register(
    before: Look, after: Look, boundary_ns: int, *, ends_wh: tuple[int, int], power_w: int
) -> tuple[int, int]:
    """Return one register at the boundary and how far it may be off, without the resolution."""
    low_wh, high_wh = ends_wh
    early_ns = boundary_ns - before.at_ns + before.uncertainty_ns
    late_ns = after.at_ns + after.uncertainty_ns - boundary_ns
    floor_wh = max(low_wh, high_wh - most_wh(power_w, late_ns))
    ceiling_wh = min(high_wh, low_wh + most_wh(power_w, early_ns))
    if floor_wh > ceiling_wh:  # the register rose faster than the meter is certified for
        floor_wh, ceiling_wh = low_wh, high_wh
    span_ns = after.at_ns - before.at_ns
    share_ns = boundary_ns - before.at_ns
    value_wh = low_wh
    if span_ns:
        value_wh += ((high_wh - low_wh) * share_ns * 2 + span_ns) // (2 * span_ns)
    value_wh = min(max(value_wh, floor_wh), ceiling_wh)
    return value_wh, max(value_wh - floor_wh, ceiling_wh - value_wh)


class Bracket:
    """The looks at one meter that enclose a boundary most closely."""

    __slots__ = ("_boundary_ns", "after", "before")

    def __init__(self, boundary_ns: int) -> None:
        self._boundary_ns = boundary_ns
        self.before: Look | None = None
        self.after: Look | None = None

    def add(self, look: Look) -> None:
        """Keep a look if it is nearer to the boundary than the look kept on the same side."""
        if look.at_ns <= self._boundary_ns and (
            self.before is None or look.at_ns >= self.before.at_ns
        ):
            self.before = look
        if look.at_ns >= self._boundary_ns and (
            self.after is None or look.at_ns <= self.after.at_ns
        ):
            self.after = look

    @property
    def is_closed(self) -> bool:
        """Return whether there is a look on either side."""
        return self.before is not None and self.after is not None
