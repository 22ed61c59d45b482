"""Where test networks stand: ports that nobody uses."""

from __future__ import annotations

import msgspec

from ledger_network.fabric.consortium import Consortium, parse_consortium
from ledger_network.fabric.probe import PortTaken, require_free

STEP = 200
TRIES = 40


def consortium_on_free_ports(text: str) -> Consortium:
    """The consortium of a text, with all ports moved up until every one is free."""
    wanted = parse_consortium(text.encode())
    for attempt in range(TRIES):
        moved = shifted(wanted, attempt * STEP)
        try:
            require_free(moved.nodes("orderer", "peer"))
        except PortTaken:
            continue
        return moved
    raise PortTaken(f"no block of ports is free in {TRIES} tries")


def shifted(consortium: Consortium, by: int) -> Consortium:
    """The same consortium with every port moved up."""
    replace = msgspec.structs.replace
    organisations = [
        replace(
            member,
            peers=[replace(site, port=site.port + by) for site in member.peers],
            orderers=[replace(site, port=site.port + by) for site in member.orderers],
        )
        for member in consortium.organisations
    ]
    return replace(consortium, organisations=organisations)
