"""The commands of `commonwatt network`."""

from __future__ import annotations

from commonwatt.command_line import command_group
from commonwatt.commands.network import compose, inspection, join, lifecycle, waiting

app = command_group("A Fabric network of the consortium on this machine, without containers.")
app.command("compose")(compose.compose)
app.command("join")(join.join)
app.command("await")(waiting.await_network)
app.command("install", epilog="Example: `commonwatt network install`")(lifecycle.install_command)
app.command("up", epilog=lifecycle.UP_EXAMPLES)(lifecycle.up)
app.command(
    "down", epilog="Examples: `commonwatt network down` · `commonwatt network down --purge`"
)(lifecycle.down)
app.command("stop", epilog="Example: `commonwatt network stop peer-southgrid`")(lifecycle.stop)
app.command("start", epilog="Example: `commonwatt network start peer-southgrid`")(lifecycle.start)
app.command("status", epilog="Example: `commonwatt network status --json`")(inspection.status)
app.command("logs", epilog=inspection.LOGS_EXAMPLES)(inspection.logs)
app.command("profile", epilog=inspection.PROFILE_EXAMPLE)(inspection.profile_command)
app.command("doctor", epilog="Example: `commonwatt network doctor`")(inspection.doctor)
app.command("upgrade", epilog="Example: `commonwatt network upgrade`")(lifecycle.upgrade)
