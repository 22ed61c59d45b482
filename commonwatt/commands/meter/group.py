"""The commands of `commonwatt meter`."""

from __future__ import annotations

from commonwatt.command_line import command_group
from commonwatt.commands.meter import discovery, reading, simulation

app = command_group("Simulate meters, read them, find them.")
app.command("simulate", epilog=simulation.EXAMPLES)(simulation.simulate)
app.command("read", epilog=reading.EXAMPLES)(reading.read)
app.command("scan", epilog=discovery.EXAMPLES)(discovery.scan_command)
