"""The plan of a demonstration: what its market is drawn from, and how its time runs.

The plan is made once, when the market is new. `commonwatt up` stores it in the data folder and
passes it to the process of the meters; `commonwatt network compose` passes it to each container.
People, meters and market time follow from the plan, so all parts agree without communication.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from chaincode.area.clock import ClockArguments
from commonwatt.demonstration.cast import (
    AREA,
    SLOT_S,
    TIME_ZONE,
    Cast,
    Home,
    draw_empty_homes,
    make_cast,
)
from commonwatt.demonstration.meter_curve import HouseholdCurve, simulated_meter
from commonwatt.demonstration.profiles import simbench_week
from meter_oracle.drivers.sources import POWER_MAX_DEFAULT_W, ModbusSource
from meter_oracle.settings import ClockSettings
from meter_oracle.simulated.device import SimulatedMeter
from meter_oracle.simulated.fleet import Fleet, MarketClock

SPEED_DEFAULT = 90  # a slot of 15 minutes in 10 seconds
SPEED_MAX = 900  # a slot in a second; at more the nodes of one machine read their meters late
HOUSEHOLDS_DEFAULT = 24
HOUSEHOLDS_MAX = 1_000  # one report contains the readings of all households
MORNING_HOUR = 10  # a market with accelerated time begins when the sun is up
SECOND_NS = 1_000_000_000


class MarketPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a market is drawn from and how its time runs.

    Registers of all meters are 0 when the slot `counts_from` begins. `empty` is the number of homes
    that are empty, with a running meter, until a newcomer moves in.
    """

    seed: int
    households: int
    counts_from: int
    clock: ClockSettings
    empty: int = 0

    def cast(self) -> Cast:
        """Return all members and households of the market."""
        return make_cast(self.seed, self.households)

    def empty_homes(self) -> Sequence[Home]:
        """Return the homes that are kept for newcomers."""
        return draw_empty_homes(self.seed, self.households, self.empty)

    def clock_arguments(self) -> ClockArguments:
        """Return the clock in the form in which the ledger takes it."""
        clock = self.clock
        return ClockArguments(AREA, clock.real_anchor_s, clock.market_anchor_s, clock.rate)

    def first_slot(self, now_s: int) -> int:
        """Return the first slot that can be traded when the market is founded at `now_s`."""
        market_s = self.clock.market_ns(now_s * SECOND_NS) // SECOND_NS
        return market_s - market_s % SLOT_S + 2 * SLOT_S

    def fleet(self) -> Fleet:
        """Return the meters of all homes, which do not listen yet."""
        homes = self._homes()
        curve = HouseholdCurve(
            {home.meter: home.profile for home in homes}, simbench_week(), self.counts_from
        )
        clock = self.clock
        market_clock = MarketClock(
            clock.real_anchor_s * SECOND_NS, clock.market_anchor_s * SECOND_NS, clock.rate
        )
        return Fleet(self._meters(), curve, market_clock)

    def sources(self, host: str, port: int) -> list[ModbusSource]:
        """Return the addresses of the meters if the fleet listens at `host`, from `port` on."""
        return [
            ModbusSource(
                meter=meter.meter,
                host=host,
                port=port + number,
                serial=meter.serial,
                power_max_w=max(POWER_MAX_DEFAULT_W, meter.inverter_w),
                rated_w=meter.inverter_w,
            )
            for number, meter in enumerate(self._meters())
        ]

    def _homes(self) -> Sequence[Home]:
        return [*self.cast().homes, *self.empty_homes()]

    def _meters(self) -> list[SimulatedMeter]:
        return [simulated_meter(home.meter, home.profile) for home in self._homes()]


class PlanUnreadable(Exception):
    """The file does not contain a plan of a market; the sentence says why."""


def make_plan(households: int, speed: int, now_s: int, *, empty: int = 0) -> MarketPlan:
    """Make the plan of a new market.

    Market time begins at `now_s` if it runs as fast as real time, else in the morning of that day.
    """
    begin_s = now_s if speed == 1 else _morning_s(now_s)
    return MarketPlan(
        seed=secrets.randbits(32),
        households=households,
        counts_from=begin_s - begin_s % SLOT_S,
        clock=ClockSettings(real_anchor_s=now_s, market_anchor_s=begin_s, rate=speed),
        empty=empty,
    )


def read_plan(file: Path) -> MarketPlan:
    """Read the plan in a file. Raises `PlanUnreadable`."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=MarketPlan)
    except OSError as error:
        raise PlanUnreadable(f"{file} cannot be read: {error.strerror}.") from None
    except msgspec.DecodeError as error:
        raise PlanUnreadable(f"{file} does not hold the plan of a market: {error}.") from None


def _morning_s(now_s: int) -> int:
    today = datetime.fromtimestamp(now_s, ZoneInfo(TIME_ZONE))
    morning = today.replace(hour=MORNING_HOUR, minute=0, second=0, microsecond=0)
    return int(morning.timestamp())
