"""The row rules of `api.access.table`, applied to records of the read model.

A row that the viewer may not see is answered with `NOT_FOUND`, so a refusal does not reveal which
rows exist.
"""

from __future__ import annotations

from collections.abc import Sequence

from api.access.table import Subject, Viewer, may_see_row, scope
from api.faults import NOT_FOUND
from api.features.accounts.reads import PostingRecord
from api.services import Services


def own_account(viewer: Viewer) -> str:
    """Return the viewer's own account: that of its member if it has one, else that of its DID."""
    return viewer.did if viewer.member is None else viewer.member


async def may_see(
    services: Services, viewer: Viewer, subject: Subject, owners: Sequence[str]
) -> bool:
    """Return whether the viewer may see a row of `owners` (DIDs or members)."""
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
    """Return the owner whose rows are requested: `owner`, or the viewer's own account for None.

    Raises `NOT_FOUND` if the viewer may not see the rows of this owner.
    """
    asked = own_account(viewer) if owner is None else owner
    if not await may_see(services, viewer, subject, [asked]):
        raise NOT_FOUND(kind="account", id=asked)
    return asked


def posting_owner(viewer: Viewer) -> str | None:
    """Return the one account whose postings the viewer may see; None if there may be several."""
    return own_account(viewer) if scope(viewer, "accounts") == "own" else None


async def visible_postings(
    services: Services, viewer: Viewer, found: Sequence[PostingRecord]
) -> list[PostingRecord]:
    """Return the postings on accounts that the viewer may see."""
    if scope(viewer, "accounts") in ("own", "all"):
        return list(found)
    seen = {
        account: await may_see(services, viewer, "accounts", [account])
        for account in sorted({record.account for record in found})
    }
    return [record for record in found if seen[record.account]]
