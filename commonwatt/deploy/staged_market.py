"""The plan of a market whose parts run apart, in containers: what each of them has to know of it.

It is made once and handed to each. Market time follows from it alone, so it goes on while services
are down; without haste (`rate` 1) it is the time of day.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from chaincode.area.clock import ClockArguments
from commonwatt.demonstration.cast import AREA, SLOT_S, TIME_ZONE, Cast, make_cast
from commonwatt.demonstration.market_plan import MORNING_HOUR
from commonwatt.demonstration.meter_curve import HouseholdCurve, simulated_meter
from commonwatt.demonstration.profiles import simbench_week
from meter_oracle.drivers.sources import POWER_MAX_DEFAULT_W, ModbusSource
from meter_oracle.settings import ClockSettings
from meter_oracle.simulated.fleet import Fleet, MarketClock

SECOND_NS = 1_000_000_000


class StagedMarket(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a market was drawn from and how its time runs; `counts_from` is the meters' first slot."""

    seed: int
    households: int
    counts_from: int
    clock: ClockSettings

    def cast(self) -> Cast:
        """Everybody in it."""
        return make_cast(self.seed, self.households)

    def clock_arguments(self) -> ClockArguments:
        """The same clock as the ledger is told it."""
        clock = self.clock
        return ClockArguments(AREA, clock.real_anchor_s, clock.market_anchor_s, clock.rate)

    def first_slot(self, now_s: int) -> int:
        """The first slot that can be traded when the market is founded at `now_s`."""
        market_s = self.clock.market_ns(now_s * SECOND_NS) // SECOND_NS
        return market_s - market_s % SLOT_S + 2 * SLOT_S

    def fleet(self) -> Fleet:
        """The meters, which do not listen yet."""
        homes = self.cast().homes
        curve = HouseholdCurve(
            {home.meter: home.profile for home in homes}, simbench_week(), self.counts_from
        )
        clock = self.clock
        market_clock = MarketClock(
            clock.real_anchor_s * SECOND_NS, clock.market_anchor_s * SECOND_NS, clock.rate
        )
        return Fleet(
            [simulated_meter(home.meter, home.profile) for home in homes], curve, market_clock
        )

    def sources(self, host: str, port: int) -> list[ModbusSource]:
        """Where the meters are read when the fleet listens at `host` from `port` on."""
        meters = [simulated_meter(home.meter, home.profile) for home in self.cast().homes]
        return [
            ModbusSource(
                meter=meter.meter,
                host=host,
                port=port + number,
                serial=meter.serial,
                power_max_w=max(POWER_MAX_DEFAULT_W, meter.inverter_w),
                rated_w=meter.inverter_w,
            )
            for number, meter in enumerate(meters)
        ]


class StagedMarketUnreadable(Exception):
    """A file that holds no such plan; the sentence says why."""


def stage_market(households: int, speed: int, now_s: int) -> StagedMarket:
    """A new market whose time begins at `now_s`: then, or in that day's morning where it hurries."""
    begin_s = now_s if speed == 1 else _morning_s(now_s)
    clock = ClockSettings(real_anchor_s=now_s, market_anchor_s=begin_s, rate=speed)
    counts_from = begin_s - begin_s % SLOT_S
    return StagedMarket(secrets.randbits(32), households, counts_from, clock)


def read_staged_market(file: Path) -> StagedMarket:
    """The plan in a file. Raises `StagedMarketUnreadable`."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=StagedMarket)
    except OSError as error:
        raise StagedMarketUnreadable(f"{file} cannot be read: {error.strerror}.") from None
    except msgspec.DecodeError as error:
        raise StagedMarketUnreadable(f"{file} is no plan of a market: {error}.") from None


def _morning_s(now_s: int) -> int:
    today = datetime.fromtimestamp(now_s, ZoneInfo(TIME_ZONE))
    morning = today.replace(hour=MORNING_HOUR, minute=0, second=0, microsecond=0)
    return int(morning.timestamp())
