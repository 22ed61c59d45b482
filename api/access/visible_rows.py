"""Whose rows somebody is shown: the row rules of `api.access.table`, asked with what a record says.

A row of somebody else is answered as if it were not there (`NOT_FOUND`), so that nobody learns
from a refusal what exists.
"""

from __future__ import annotations

from collections.abc import Sequence

from api.access.table import Subject, Viewer, may_see_row, scope
from api.faults import NOT_FOUND
from api.read_model.records import PostingRecord
from api.services import Services


def own_account(viewer: Viewer) -> str:
    """The account that is the viewer's own: its DID's, or its member's."""
    return viewer.did if viewer.member is None else viewer.member


async def may_see(
    services: Services, viewer: Viewer, subject: Subject, owners: Sequence[str]
) -> bool:
    """Whether a row of `owners` (DIDs or members) is the viewer's to see."""
    retailers: list[str] = []
    if scope(viewer, subject) == "clients":
        for owner in owners:
            participant = await services.read_model.participant(owner)
            if participant is not None:
                retailers.append(participant.retailer)
    return may_see_row(viewer, subject, owners=owners, retailers=retailers, area=services.area)


async def visible_owner(
    services: Services, viewer: Viewer, subject: Subject, owner: str | None
) -> str:
    """Whose rows are asked for: `owner`, or the viewer's own account without one.

    `NOT_FOUND` for an owner whose rows are not the viewer's to see.
    """
    asked = own_account(viewer) if owner is None else owner
    if not await may_see(services, viewer, subject, [asked]):
        raise NOT_FOUND(kind="account", id=asked)
    return asked


def posting_owner(viewer: Viewer) -> str | None:
    """The one account whose postings the viewer sees; None where there may be several."""
    return own_account(viewer) if scope(viewer, "accounts") == "own" else None


async def visible_postings(
    services: Services, viewer: Viewer, found: Sequence[PostingRecord]
) -> list[PostingRecord]:
    """Those of the postings that are on accounts the viewer may see."""
    if scope(viewer, "accounts") in ("own", "all"):
        return list(found)
    seen = {
        account: await may_see(services, viewer, "accounts", [account])
        for account in sorted({record.account for record in found})
    }
    return [record for record in found if seen[record.account]]
