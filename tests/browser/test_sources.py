"""The dashboard's sources: types, and the tests of what needs no page, run by Node itself."""

from __future__ import annotations

import re

from api.server.dashboard_build import check


def test_sources_hold_their_types_and_pass_their_own_tests() -> None:
    said = check()

    passed = re.search(r"^\W+ pass (\d+)$", said, re.MULTILINE)
    assert passed is not None, said
    assert int(passed[1]) > 20
