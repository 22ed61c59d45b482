"""Rules of the tree: how many modules a room holds, and which names stand once in it."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from tests.house.tree import Source, in_packages

MODULES_MAX = 15  # side by side in one folder; more, and a reader looks for an index

_MODULES = {".py", ".ts", ".tsx", ".mjs"}
_UNCOUNTED = {"__init__", "__main__", "conftest"}  # Python and pytest ask for them by name


def crowded(paths: Iterable[str]) -> Iterator[str]:
    """Folders with more modules than a reader takes in at a glance."""
    folders: dict[str, int] = defaultdict(int)
    for path in map(PurePosixPath, paths):
        if path.suffix in _MODULES and path.stem not in _UNCOUNTED:
            folders[str(path.parent)] += 1
    for folder, count in sorted(folders.items()):
        if count > MODULES_MAX:
            yield f"{folder} holds {count} modules, at most {MODULES_MAX}: part it into rooms"


def unsaid(modules: Iterable[Source]) -> Iterator[str]:
    """Packages of ours whose `__init__.py` does not say what lives there."""
    for source in modules:
        if in_packages(source.path) and source.path.endswith("/__init__.py"):
            said = ast.get_docstring(source.syntax)
            if not said:
                yield f"{source.path}: say what lives here, what does not, where to begin reading"


def classes(source: Source) -> list[str]:
    """The public classes that stand at the top of a module."""
    return [
        node.name
        for node in source.syntax.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]


def namesakes(modules: Iterable[Source]) -> Iterator[str]:
    """Public classes that share a name: within the contract, and within a folder elsewhere.

    The shim knows nothing of the contract and counts as a folder of its own.
    """
    found: Mapping[tuple[str, str], list[str]] = defaultdict(list)
    for source in modules:
        if not in_packages(source.path) or "/migrations/" in source.path:
            continue  # Tortoise finds each migration by the class name `Migration`
        contract = source.path.startswith("chaincode/") and "/shim/" not in source.path
        scope = "chaincode" if contract else str(PurePosixPath(source.path).parent)
        for name in classes(source):
            found[scope, name].append(source.path)
    for (scope, name), where in sorted(found.items()):
        if len(where) > 1:
            yield f"{name} stands {len(where)} times in {scope}: {_listed(where)}"


def _listed(paths: Sequence[str]) -> str:
    return ", ".join(sorted(paths))
