"""The one line that says why a command ends."""

from __future__ import annotations

import pytest

from commonwatt.command_line import FAILED, REFUSED, ended


def test_reason_is_one_line_and_cannot_steer_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    reason = OSError("first\nsecond\r\x1b[2Jthird\u2028é")

    assert ended(reason).exit_code == REFUSED
    assert capsys.readouterr().err == "first second  [2Jthird é\n"


def test_caller_chooses_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("It does not hold.", FAILED).exit_code == FAILED
    assert capsys.readouterr().err == "It does not hold.\n"
