"""No module of ours lies unused: each is imported by another, or is where something starts."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterable, Iterator

from tests.house.tree import ROOT, Source, in_packages, python_sources

DOTTED = re.compile(r"[a-z_]+(\.[a-z_]+)+")
OFFERED = "commonwatt.market"  # what programs of others import


def module_of(path: str) -> str:
    """The dotted name of a module: `chaincode/auctions/__init__.py` is `chaincode.auctions`."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imported_names(source: Source) -> Iterator[str]:
    """Dotted names that `source` may import: of `from a import b` both `a` and `a.b`.

    A string that is nothing but a dotted name counts: so commands are listed, and loaded when run.
    """
    for node in ast.walk(source.syntax):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and DOTTED.fullmatch(str(node.value)):
            yield str(node.value)


def orphans(modules: Iterable[Source], entry_points: Iterable[str]) -> list[str]:
    """Modules that no other imports; a package's own `__init__` is reached through its modules."""
    modules = list(modules)
    reached = set(entry_points)
    for source in modules:
        reached.update(name for name in imported_names(source) if name != module_of(source.path))
    return sorted(
        source.path
        for source in modules
        if not source.path.endswith(("/__init__.py", "/__main__.py"))
        and module_of(source.path) not in reached
    )


def entry_points() -> set[str]:
    """The modules that a command of the project starts in, and the one offered to programs."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        scripts: dict[str, str] = tomllib.load(file)["project"]["scripts"]
    return {OFFERED, *(target.partition(":")[0] for target in scripts.values())}


def test_every_module_is_imported_or_an_entry_point() -> None:
    found = orphans(
        (source for source in python_sources() if in_packages(source.path)), entry_points()
    )

    assert not found, "nobody imports " + ", ".join(found)


def test_module_that_nobody_imports_is_found() -> None:
    tree = [
        Source("chaincode/__init__.py", ""),
        Source("chaincode/orders/handlers.py", "from chaincode import state"),
        Source("chaincode/state.py", "import chaincode.state"),
        Source("chaincode/lost.py", "import chaincode.lost"),
        Source("commonwatt/cli.py", "from chaincode.orders.handlers import place"),
        Source("commonwatt/named.py", ""),
        Source(
            "commonwatt/listing.py", "import commonwatt.listing\nCOMMANDS = ['commonwatt.named']"
        ),
        Source("commonwatt/__main__.py", "import commonwatt.cli"),
    ]

    assert orphans(tree, set()) == ["chaincode/lost.py", "commonwatt/listing.py"]
    assert orphans(tree, {"chaincode.lost", "commonwatt.listing"}) == []
