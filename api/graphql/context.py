"""What every resolver is given: the viewer, the services, and the loaders of this operation.

The app passes a `RequestContext` to the schema. The schema's first extension (`OperationContext`)
replaces it by an `Operation`, which adds the loaders; they live as long as the operation.
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
from api.sign_in.session import Sessions

Loaders: TypeAlias = dict[str, DataLoader[object, object]]


@dataclass(frozen=True, slots=True)
class RequestContext:
    """What the app passes to the schema: the viewer, its origin, and the admitted document."""

    viewer: Viewer | None
    services: Services
    sessions: Sessions
    admission: Admission | None
    origin: str | None = None  # the `Origin` header of a browser's request


@dataclass(eq=False, slots=True)
class Operation:
    """The context of one operation; `viewer` is None for a stranger.

    `loaders` combine the lookups of all nodes of one answer into one query; they begin empty.
    """

    viewer: Viewer | None
    services: Services
    sessions: Sessions
    admission: Admission | None
    origin: str | None
    loaders: Loaders = field(default_factory=dict[str, DataLoader[object, object]])


Info: TypeAlias = strawberry.Info[Operation, None]


class OperationContext(SchemaExtension):
    """Gives each operation its `Operation`."""

    def on_operation(self) -> Iterator[None]:
        """Replace the app's `RequestContext` by an `Operation`."""
        given = cast("RequestContext", self.execution_context.context)
        self.execution_context.context = Operation(
            viewer=given.viewer,
            services=given.services,
            sessions=given.sessions,
            admission=given.admission,
            origin=given.origin,
        )
        yield


def require_viewer(info: Info) -> Viewer:
    """Return the signed-in user; raise `UNAUTHENTICATED` for a stranger."""
    viewer = info.context.viewer
    if viewer is None:
        raise UNAUTHENTICATED(what=info.field_name)
    return viewer
