"""The rules of the house, each held against the whole tree and against samples of its own."""

from __future__ import annotations

import pytest

from tests.house import exactness, shape, wording
from tests.house.tree import Rule, Source, broken, idle_escapes, python_sources, sources

RULES = (*exactness.RULES, *shape.RULES, *wording.RULES)


def named(rule: Rule) -> str:
    return rule.name.replace(" ", "-")


@pytest.mark.parametrize("rule", RULES, ids=named)
def test_tree_keeps_the_rule(rule: Rule) -> None:
    found = [
        f"{source.path}:{finding.line}: {finding.message}"
        for source in sources()
        if rule.applies(source.path)
        for finding in broken(rule, source)
    ]

    assert not found, f"{rule.check.__doc__}\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        pytest.param(rule, bad, id=f"{named(rule)}-{i}")
        for rule in RULES
        for i, bad in enumerate(rule.bad)
    ],
)
def test_bad_sample_is_found_and_can_be_escaped(rule: Rule, text: str) -> None:
    sample = Source(rule.sample_path, text)

    findings = broken(rule, sample)

    assert rule.applies(rule.sample_path)
    assert findings
    lines = text.splitlines() or [""]
    at = findings[0].line - 1
    excused = "\n".join([*lines[:at], f"# house: {rule.name}, a sample of it", *lines[at:]])
    left = [finding for finding in findings if finding.line != findings[0].line]
    assert len(broken(rule, Source(rule.sample_path, excused))) == len(left)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        pytest.param(rule, good, id=f"{named(rule)}-{i}")
        for rule in RULES
        for i, good in enumerate(rule.good)
    ],
)
def test_good_sample_passes(rule: Rule, text: str) -> None:
    assert broken(rule, Source(rule.sample_path, text)) == []


@pytest.mark.parametrize("rule", RULES, ids=named)
def test_rule_says_which_failure_it_prevents(rule: Rule) -> None:
    assert rule.check.__doc__


@pytest.mark.parametrize(
    "path",
    ["api/utils.py", "chaincode/order_helpers.py", "common/orders.py", "tests/kit/test_x.py"],
)
def test_module_named_after_nothing_is_found(path: str) -> None:
    (rule,) = [rule for rule in RULES if rule.name == "module name"]

    assert broken(rule, Source(path, ""))


def test_rules_of_the_contract_leave_its_shim_and_other_floors_alone() -> None:
    for rule in exactness.RULES:
        assert not rule.applies("chaincode/shim/serving/server.py")
        assert not rule.applies("commonwatt/view.py")


def test_division_belongs_to_units_and_auctions() -> None:
    (rule,) = [rule for rule in RULES if rule.name == "division"]

    assert not rule.applies("chaincode/units.py")
    assert not rule.applies("chaincode/auctions/uniform.py")
    assert rule.applies("chaincode/settlement/run.py")


def test_no_escape_is_idle() -> None:
    found = [
        f"{source.path}:{finding.line}: {finding.message}"
        for source in python_sources()
        for finding in idle_escapes(RULES, source)
    ]

    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1  # house: division, it is an index", "nothing here breaks"),
        ("x = a % b  # house: division", "gives its reason"),
        ("x = a % b  # house: division, yes", "gives its reason"),
        ("x = a % b  # house: divisions, it is an index", "no house rule is named"),
    ],
)
def test_escape_without_use_reason_or_rule_is_found(text: str, said: str) -> None:
    (finding,) = idle_escapes(RULES, Source("chaincode/sample.py", text))

    assert said in finding.message


@pytest.mark.parametrize(
    "text",
    [
        "x = a % b  # house: division, a page number",
        "# house: division, a page number\nx = a % b",
        "x = a % b  # noqa: S001 seen  # house: division, a page number",
    ],
)
def test_escape_with_use_and_reason_holds(text: str) -> None:
    (rule,) = [rule for rule in RULES if rule.name == "division"]
    sample = Source("chaincode/sample.py", text)

    assert broken(rule, sample) == []
    assert idle_escapes(RULES, sample) == []
