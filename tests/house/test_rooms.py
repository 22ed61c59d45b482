"""The tree tells where things live: small rooms, each with a sentence, and names that stand once."""

from __future__ import annotations

from tests.house.rooms import MODULES_MAX, crowded, namesakes, unsaid
from tests.house.tree import Source, python_sources, sources


def test_no_folder_is_crowded() -> None:
    found = list(crowded(source.path for source in sources()))

    assert not found, "\n".join(found)


def test_every_room_says_what_lives_in_it() -> None:
    found = list(unsaid(python_sources()))

    assert not found, "\n".join(found)


def test_no_two_classes_share_a_name() -> None:
    found = list(namesakes(python_sources()))

    assert not found, "\n".join(found)


def test_crowded_folder_is_found() -> None:
    full = [f"chaincode/shim/m{i:02}.py" for i in range(MODULES_MAX)]
    more = ["chaincode/shim/__init__.py", "chaincode/m.py", "api/a.toml"]

    assert list(crowded([*full, *more])) == []
    assert list(crowded([*full, "chaincode/shim/one.py"])) == [
        "chaincode/shim holds 16 modules, at most 15: part it into rooms"
    ]


def test_room_without_a_sentence_is_found() -> None:
    rooms = [
        Source("api/live/__init__.py", '"""What changes while somebody watches."""\n'),
        Source("api/mute/__init__.py", ""),
        Source("tests/mute/__init__.py", ""),
    ]

    assert list(unsaid(rooms)) == [
        "api/mute/__init__.py: say what lives here, what does not, where to begin reading"
    ]


def test_classes_of_one_name_are_found() -> None:
    run = "class Run:\n    pass\n"
    modules = [
        Source("chaincode/slots/gate.py", run),
        Source("chaincode/clearing/run.py", run),
        Source("chaincode/shim/run.py", run),
        Source("api/live/a.py", run),
        Source("api/server/a.py", run),
        Source("api/server/b.py", "class _Run:\n    pass\n"),
        Source("commonwatt/bench/a.py", run),
        Source("commonwatt/bench/b.py", run),
    ]

    assert list(namesakes(modules)) == [
        "Run stands 2 times in chaincode: chaincode/clearing/run.py, chaincode/slots/gate.py",
        "Run stands 2 times in commonwatt/bench: commonwatt/bench/a.py, commonwatt/bench/b.py",
    ]
