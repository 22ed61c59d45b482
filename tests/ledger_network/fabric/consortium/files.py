"""Consortium files of tests: the default one as a document to spoil, and a small one."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from ledger_network.fabric.consortium.definition import DEFAULT_FILE, Consortium, parse_consortium

Document = dict[str, Any]


def default_document() -> Document:
    """The default file as plain data, fresh for each caller."""
    return cast("Document", msgspec.yaml.decode(DEFAULT_FILE.read_bytes()))


def parsed(document: Document) -> Consortium:
    """The consortium of a document."""
    return parse_consortium(msgspec.yaml.encode(document), "ours.yaml")


def member(name: str, role: str, **more: object) -> Document:
    """An organisation of a document."""
    return {"name": name, "role": role, "domain": f"{name.lower()}.test", **more}
