"""The page on meters has every kind of source and every register map."""

from __future__ import annotations

import re

from msgspec.inspect import StructType, UnionType, type_info

from meter_oracle.drivers.sources import MeterSource
from meter_oracle.families.register_maps import register_maps
from tests.house.tree import ROOT

PAGE = (ROOT / "docs" / "guides" / "connect-a-meter.md").read_text(encoding="utf-8")


def test_every_kind_of_source_has_an_example() -> None:
    sources = type_info(MeterSource)
    assert isinstance(sources, UnionType)
    kinds = {each.tag for each in sources.types if isinstance(each, StructType)}

    assert set(re.findall(r'^kind = "([\w-]+)"', PAGE, re.MULTILINE)) == kinds


def test_every_register_map_is_in_the_table() -> None:
    rows = re.findall(r"^\| (`[^|]+`) \|", PAGE, re.MULTILINE)
    listed = {name for row in rows for name in re.findall(r"`([a-z][\w-]+)`", row)}
    # Devices that describe themselves by SunSpec are read by `sunspec`, whatever their model.
    maps = {"sunspec" if name.startswith("sunspec-") else name for name in register_maps()}

    assert listed == maps
