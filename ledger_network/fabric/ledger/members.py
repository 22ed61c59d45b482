"""The members that a ledger acts for, with their gateways and the peers that it follows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ledger_network.fabric.consortium.profile import Profile
from ledger_network.fabric.gateway.client import Gateway
from ledger_network.fabric.gateway.endpoint import Endpoint
from ledger_network.fabric.gateway.peers import Limits
from ledger_network.fabric.ledger.peer_follower import PeerFollower
from ledger_network.port import Invalid, Member


class Members:
    """Gateways of members' users, each made when it is first needed, and followers of all peers."""

    def __init__(
        self, profiles: Sequence[Profile], *, clock: Callable[[], float], limits: Limits
    ) -> None:
        if not profiles:
            raise ValueError("a ledger needs the profile of one member at least")
        self._profiles = {profile.organisation: profile for profile in profiles}
        self._clock = clock
        self._limits = limits
        self._gateways: dict[Member, Gateway] = {}
        self._followers: dict[Endpoint, PeerFollower] = {}
        self.first = profiles[0]

    async def follow(self) -> None:
        """Begin to follow every peer that can endorse or answer for one of the members."""
        height = await self.reader().height()
        for profile in self._profiles.values():
            gateway = self.gateway(Member(profile.organisation))
            for endpoint in profile.endpoints:
                if endpoint not in self._followers:
                    start = max(height - 1, 0)
                    self._followers[endpoint] = PeerFollower(gateway, endpoint, start)

    def gateway(self, member: Member) -> Gateway:
        """The gateway of one identity; raises `Invalid` for a stranger."""
        found = self._gateways.get(member)
        if found is not None:
            return found
        profile = self._profiles.get(member.name)
        if profile is None or member.role not in profile.users:
            raise Invalid(f"{member.name} ({member.role}) is not a member of this channel")
        made = Gateway(
            profile.identity(member.role),
            profile.endpoints,
            channel=profile.channel,
            clock=self._clock,
            limits=self._limits,
            prefer_first=True,
        )
        self._gateways[member] = made
        return made

    def reader(self, organisation: str = "") -> Gateway:
        """The gateway for requests that concern no particular member."""
        return self.gateway(Member(organisation or self.first.organisation))

    @property
    def followers(self) -> list[PeerFollower]:
        """The followers of all peers."""
        return list(self._followers.values())

    def follower(self, endpoint: Endpoint) -> PeerFollower:
        """The follower of one peer."""
        return self._followers[endpoint]

    def follower_of(self, gateway: Gateway) -> PeerFollower:
        """The follower of the first of a member's peers that is not behind."""
        followers = [self._followers[endpoint] for endpoint in gateway.endpoints]
        return next((found for found in followers if not found.is_behind), followers[0])

    def lagging(self, block: int) -> list[PeerFollower]:
        """The followers of the peers that are not known to have committed `block`."""
        return [follower for follower in self._followers.values() if follower.height <= block]

    async def close(self) -> None:
        """Stop following the peers and close all connections."""
        for follower in self._followers.values():
            await follower.close()
        for gateway in self._gateways.values():
            await gateway.close()
