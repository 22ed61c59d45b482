"""Finds what is wrong with a network and how to repair it: files, then processes, then the channel.

The module changes nothing. A check is skipped if an earlier fault makes it pointless.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from ledger_network.fabric.binaries.install import RELEASE, installation
from ledger_network.fabric.consortium.definition import Node
from ledger_network.fabric.gateway.errors import ClockSkew, GatewayError
from ledger_network.fabric.ledger.contract_service import About
from ledger_network.fabric.operations.contract_rollout import ContractRollout, endpoint_of
from ledger_network.fabric.operations.network import UP, Network, contract_process
from ledger_network.fabric.operations.status import contracts_run
from ledger_network.fabric.runtime.probe import PortTaken, require_free, require_own_free
from ledger_network.fabric.runtime.processes import Process, Processes
from ledger_network.fabric.runtime.supervisor import WELL_S

DISK_FREE_MIN = (
    200 * 1_048_576
)  # a block may be 10 MB, and Fabric's databases write before they free space
EXPIRES_SOON_DAYS = 30
RESTARTS_MANY = 3
LOG_LINES = 3
NO_SPACE = "no space left on device"
NOT_IN_CHANNEL = ("could not get last config for channel", "access denied")
NOT_INSTALLED = ("chaincode is not installed", "no peers available to evaluate chaincode")
DAMAGED = (
    "Error opening leveldb"  # for example of a peer that was ended while it created its databases
)


class Finding(msgspec.Struct, frozen=True):
    """One check: its subject, whether that is well, a sentence, and how to repair it."""

    about: str
    is_well: bool
    sentence: str
    mend: str = ""


async def examine(network: Network) -> list[Finding]:
    """Check everything; the finding of a fault names the remedy."""
    findings = [_programs(), *_disks(network), *_certificates(network)]
    running = network.processes()
    if running is None:
        sentence = network.died() or "Nothing runs."
        findings.append(Finding("processes", is_well=False, sentence=sentence, mend=UP))
        findings.extend(_ports(network))
        return findings
    findings.extend(_processes(network, running))
    findings.extend(_ports_of_idle(network, running))
    findings.extend([finding async for finding in _channel(network)])
    return findings


def _programs() -> Finding:
    found = installation()
    if found.is_complete:
        return Finding("programs", is_well=True, sentence=f"Fabric {RELEASE} is built.")
    return Finding(
        "programs",
        is_well=False,
        sentence=f"Fabric {RELEASE} is not built on this machine.",
        mend="Build it with `commonwatt network install`.",
    )


def _disks(network: Network) -> Iterator[Finding]:
    """Check the folder's disk, and the disks of nodes whose data lies elsewhere."""
    places: dict[int, Path] = {}
    for path in (network.folder.root, *map(network.folder.data, network.consortium.nodes())):
        if path.exists():
            places.setdefault(path.stat().st_dev, path)
    for path in places.values():
        free = shutil.disk_usage(path).free
        if free < DISK_FREE_MIN:
            yield Finding(
                "disk",
                is_well=False,
                sentence=f"The disk of {path} has {free >> 20} MiB left; nodes on it stop.",
                mend=f"Free {DISK_FREE_MIN >> 20} MiB or more there; the nodes then start again "
                "by themselves.",
            )
        else:
            yield Finding("disk", is_well=True, sentence=f"{free >> 30} GiB are free at {path}.")


def _certificates(network: Network) -> Iterator[Finding]:
    """Check the dates and the authority of every node's and every user's certificate."""
    now = datetime.now(UTC)
    soonest: datetime | None = None
    faults = 0
    for certificate, authority, whose in _papers(network):
        found, issuer = _read(certificate), _read(authority)
        if found is None or issuer is None:
            missing = certificate if found is None else authority
            faults += 1
            yield _wrong_paper(whose, f"{missing} is missing or not a certificate")
            continue
        try:
            found.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature):
            faults += 1
            yield _wrong_paper(
                whose,
                f"{certificate} was not issued by {authority}: it is of another authority, and "
                "the other nodes will not talk to its holder",
            )
            continue
        until = found.not_valid_after_utc
        if not found.not_valid_before_utc <= now <= until:
            faults += 1
            yield _wrong_paper(whose, f"{certificate} was valid until {until:%Y-%m-%d %H:%M} UTC")
        soonest = until if soonest is None else min(soonest, until)
    if faults == 0 and soonest is not None:
        days = (soonest - now).days
        mend = "Renew them in time." if days < EXPIRES_SOON_DAYS else ""
        yield Finding(
            "certificates", is_well=True, sentence=f"All are valid for {days} more days.", mend=mend
        )


def _wrong_paper(whose: str, sentence: str) -> Finding:
    mend = "Have the organisation's authority issue a new one, put it in place, restart the node."
    return Finding(f"certificate of {whose}", is_well=False, sentence=f"{sentence}.", mend=mend)


def _papers(network: Network) -> Iterator[tuple[Path, Path, str]]:
    """Yield the certificates in use: certificate file, authority's file, name of the owner."""
    folder = network.folder
    for node in network.consortium.nodes():
        config = folder.config(node)
        yield config / "tls" / "server.crt", config / "tls" / "ca.crt", node.name
        if node.kind != "contract":
            signing = next((config / "msp" / "signcerts").glob("*.pem"), config / "msp")
            yield signing, next((config / "msp" / "cacerts").glob("*.pem"), config), node.name
    for member in network.consortium.organisations:
        for user in ("Admin", "User1"):
            msp = folder.user(member, user) / "msp"
            signing = next((msp / "signcerts").glob("*.pem"), msp)
            authority = next((folder.organisation(member) / "msp" / "cacerts").glob("*.pem"), msp)
            yield signing, authority, f"{user}@{member.name}"


def _read(path: Path) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return None


def _ports(network: Network) -> Iterator[Finding]:
    """Check the ports of a network that is not running."""
    for node in network.consortium.nodes("orderer", "peer"):
        try:
            require_free([node])
        except PortTaken as taken:
            yield _port_taken(node, taken)


def _ports_of_idle(network: Network, running: Processes) -> Iterator[Finding]:
    """Check the ports of nodes that do not run in a running network."""
    for node, name in _supervised(network):
        found = running.named(name)
        if found is None or found.state != "running":
            try:
                require_own_free(node)
            except PortTaken as taken:
                yield _port_taken(node, taken)


def _port_taken(node: Node, taken: PortTaken) -> Finding:
    return Finding(f"ports of {node.name}", is_well=False, sentence=str(taken))


def _supervised(network: Network) -> list[tuple[Node, str]]:
    """Every node with the name of its process."""
    sequence = network.deployed().sequence
    nodes = [(node, node.name) for node in network.consortium.nodes("orderer", "peer")]
    contracts = network.consortium.contracts(sequence)
    return nodes + [(node, contract_process(node, sequence)) for node in contracts]


def _processes(network: Network, running: Processes) -> Iterator[Finding]:
    nodes = _supervised(network)
    well = 0
    for node, name in nodes:
        found = running.named(name)
        if found is None:
            yield Finding(name, is_well=False, sentence="It is not running.", mend=UP)
        elif found.state != "running" or (
            found.restarts >= RESTARTS_MANY and not _has_settled(found.process)
        ):
            yield _restarting(name, found.state, found.restarts, _last(network, node))
        else:
            well += 1
    if well == len(nodes):
        yield Finding("processes", is_well=True, sentence=f"All {well} are running.")


def _has_settled(process: Process | None) -> bool:
    """Return whether a process has run so long that its restarts no longer matter."""
    if process is None:
        return False
    uptime_s = float(Path("/proc/uptime").read_text("ascii").split()[0])
    return uptime_s - process.started_ticks / os.sysconf("SC_CLK_TCK") >= WELL_S


def _restarting(name: str, state: str, restarts: int, last: str) -> Finding:
    sentence = f"Its process is {state} after {restarts} restarts; its log ends: {last}"
    if NO_SPACE in last:
        mend = "Its disk is full: free some space, it then starts again by itself."
    elif "address already in use" in last or "cannot be listened on" in last:
        mend = "Another process has its port: stop that, or give the node another port."
    elif DAMAGED in last:
        mend = (
            "Its database is damaged. Put back its data folder from a copy; in a network that has "
            "never been up, start over: `commonwatt network down --purge`, then `up`."
        )
    elif "certificate" in last or "x509" in last:
        mend = "Check the certificates above; put those of its own authority in place."
    else:
        mend = f"Read `commonwatt network logs {name.partition('.')[0]}`."
    return Finding(name, is_well=False, sentence=sentence, mend=mend)


def _last(network: Network, node: Node) -> str:
    """Return the end of a node's log, or the line in the log that tells of a full disk."""
    try:
        lines = network.folder.log(node).read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return "(it has no log)"
    telling = [line for line in lines[-200:] if NO_SPACE in line or "panic:" in line]
    return " | ".join([*telling[-1:], *lines[-LOG_LINES:]]) or "(its log is empty)"


async def _channel(network: Network) -> AsyncIterator[Finding]:
    """Check what the running nodes say about channel, clocks and contract."""
    async with ContractRollout(network.consortium, network.placement) as rollout:
        reached: list[str] = []
        heights: list[int] = []
        skews: dict[str, ClockSkew] = {}
        for peer in network.consortium.nodes("peer"):
            gateway = rollout.admin(peer.organisation)
            try:
                async with asyncio.timeout(10):
                    heights.append(await gateway.height(endpoint_of(peer, network.placement)))
            except ClockSkew as skew:
                skews[peer.name] = skew
            except (GatewayError, TimeoutError) as error:
                yield _not_answering(network, peer, error)
            else:
                reached.append(peer.organisation.name)
        if skews:
            yield _clock(skews, others=len(heights))
        if heights:
            spread = f"heights from {min(heights)} to {max(heights)}"
            yield Finding(
                "channel",
                is_well=True,
                sentence=f"{len(heights)} peers answer in {network.consortium.channel}, {spread}.",
            )
        if reached:
            async for finding in _contract(network, rollout, reached):
                yield finding


def _clock(skews: Mapping[str, ClockSkew], *, others: int) -> Finding:
    """Tell whose clock is off: that of the peers that say so, or this machine's if all say so."""
    whose = f"clock of {', '.join(skews)}" if others else "clock"
    skew = next(iter(skews.values()))
    return Finding(whose, is_well=False, sentence=f"{skew.message}.")


def _not_answering(network: Network, peer: Node, error: Exception) -> Finding:
    channel = network.consortium.channel
    said = str(error) or "no answer within 10 s"
    if any(words in said for words in NOT_IN_CHANNEL):
        sentence = f"It is not in the channel {channel}: {said}"
        return Finding(peer.name, is_well=False, sentence=sentence, mend=UP)
    return Finding(
        peer.name,
        is_well=False,
        sentence=f"It does not answer: {said}",
        mend=f"Read `commonwatt network logs {peer.name}`.",
    )


def _not_called(member: str, said: str) -> Finding:
    if any(words in said for words in NOT_INSTALLED):
        sentence, mend = f"Its peer does not have the contract's package: {said}", UP
    else:
        sentence = f"Its peer cannot call its service: {said}"
        mend = "Read the log of its contract service: `commonwatt network logs`."
    return Finding(f"contract of {member}", is_well=False, sentence=sentence, mend=mend)


async def _contract(
    network: Network, rollout: ContractRollout, reached: list[str]
) -> AsyncIterator[Finding]:
    deployed, name = network.deployed(), network.consortium.contract
    there = await rollout.committed(name)
    if there is None:
        yield Finding(
            "contract", is_well=False, sentence=f"No contract {name} is agreed on.", mend=UP
        )
        return
    version, sequence = there
    if (version, sequence) != (deployed.version, deployed.sequence):
        yield Finding(
            "contract",
            is_well=False,
            sentence=f"The channel has version {version}, definition {sequence}; this folder "
            f"serves version {deployed.version}, definition {deployed.sequence}.",
            mend="Install the contract that the channel has, or `commonwatt network upgrade`.",
        )
    served = await contracts_run(network, rollout, reached)
    odd = 0
    for member, found in served.items():
        if not isinstance(found, About):
            odd += 1
            yield _not_called(member, found)
        elif found.version != version:
            odd += 1
            yield Finding(
                f"contract of {member}",
                is_well=False,
                sentence=f"Its service runs version {found.version}, the channel agreed on "
                f"{version}: what it endorses may differ from the others.",
                mend=f"Let {member} run version {version}, or let all members upgrade.",
            )
    if not odd:
        yield Finding(
            "contract",
            is_well=True,
            sentence=f"{name} {version}, definition {sequence}, served by {len(served)} members.",
        )
