"""What every resolver is given: who asks, the services that answer, and the loaders of this answer.

The app hands the schema a `RequestContext`; the first extension of the schema (`Asking`) puts an
`Asked` in its place, which adds the loaders, so that they live exactly as long as the operation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias, cast

import strawberry
from strawberry.dataloader import DataLoader
from strawberry.extensions import SchemaExtension

from api.access.table import Viewer
from api.faults import UNAUTHENTICATED
from api.graphql.guard.admission import Admission
from api.services import Services
from api.sign_in.session import RequestContext, Sessions

Loaders: TypeAlias = dict[str, DataLoader[object, object]]


@dataclass(eq=False, slots=True)
class Asked:
    """The context of one operation; `viewer` is None for a stranger.

    `loaders` gather what the nodes of one answer ask for into one question; they begin empty.
    """

    viewer: Viewer | None
    services: Services
    sessions: Sessions
    admission: Admission | None
    origin: str | None
    loaders: Loaders = field(default_factory=dict[str, DataLoader[object, object]])


Info: TypeAlias = strawberry.Info[Asked, None]


class Asking(SchemaExtension):
    """Gives each operation its `Asked`."""

    def on_operation(self) -> Iterator[None]:
        """Put an `Asked` in the place of what the app handed in."""
        given = cast("RequestContext", self.execution_context.context)
        self.execution_context.context = Asked(
            viewer=given.viewer,
            services=given.services,
            sessions=given.sessions,
            admission=given.admission,
            origin=given.origin,
        )
        yield


def require_viewer(info: Info) -> Viewer:
    """Who is signed in; `UNAUTHENTICATED` for a stranger."""
    viewer = info.context.viewer
    if viewer is None:
        raise UNAUTHENTICATED(what=info.field_name)
    return viewer
