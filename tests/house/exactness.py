"""Rules of the contract: exact integers, one place for division, no order that a run may change."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.house.tree import Finding, Rule, Source, in_contract

_EXACT_MATH = {"comb", "factorial", "gcd", "isqrt", "lcm", "perm", "prod"}
_INEXACT_ATTRIBUTES = {
    "around", "average", "divide", "double", "fsum", "longdouble", "mean", "median", "quantile",
    "rint", "round", "sqrt", "std", "true_divide", "var",
}  # fmt: skip
_ORDERLESS = {"all", "any", "frozenset", "len", "max", "min", "set", "sorted", "sum"}
_ORDERED = {
    "dict",
    "enumerate",
    "filter",
    "iter",
    "list",
    "map",
    "next",
    "reversed",
    "tuple",
    "zip",
}
_SET_METHODS = {"difference", "intersection", "symmetric_difference", "union"}
_MACHINE = {"breakpoint", "eval", "exec", "id", "input", "open", "print", "__import__"}


def inexact(source: Source) -> Iterator[Finding]:
    """A float anywhere in the contract makes two machines, or two Pythons, disagree on a Wh."""
    for node in ast.walk(source.syntax):
        said = None
        match node:
            case ast.Constant(value=float() | complex()):
                said = f"{node.value!r} is no integer"
            case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
                said = "/ makes a float"
            case ast.Name(id="float" | "complex" | "round"):
                said = f"{node.id} is inexact or makes it"
            case ast.Attribute(value=ast.Name(id="math")) if node.attr not in _EXACT_MATH:
                said = f"math.{node.attr} works with floats"
            case ast.Attribute() if node.attr in _INEXACT_ATTRIBUTES or node.attr.startswith(
                "float"
            ):
                said = f".{node.attr} is inexact or makes it"
            case ast.ImportFrom(module="math"):
                names = [alias.name for alias in node.names if alias.name not in _EXACT_MATH]
                said = f"math.{names[0]} works with floats" if names else None
            case _:
                pass
        if said is not None:
            yield Finding(_line(node), f"{said}: the contract computes with integers")


def division(source: Source) -> Iterator[Finding]:
    """A division far from `units.py` rounds in a direction that nobody has named or tested."""
    indices = {
        inner
        for node in ast.walk(source.syntax)
        if isinstance(node, ast.Subscript)
        for inner in ast.walk(node.slice)
    }
    for node in ast.walk(source.syntax):
        match node:
            case ast.BinOp(op=ast.Mod(), left=ast.Constant(value=str())):
                continue
            case ast.BinOp(op=ast.Div() | ast.FloorDiv() | ast.Mod()):
                found = node not in indices
            case ast.AugAssign(op=ast.Div() | ast.FloorDiv() | ast.Mod()):
                found = True
            case ast.Call(func=ast.Name(id="divmod")):
                found = node not in indices
            case _:
                found = False
        if found:
            yield Finding(_line(node), "divide by a function of chaincode/units.py")


def set_order(source: Source) -> Iterator[Finding]:
    """The order of a set follows hashes; one that reaches state splits the replicas."""
    for scope in _scopes(source.syntax):
        names = _set_names(scope)
        calm = _orderless_arguments(scope)
        for node in _within(scope):
            for walked in _walked_in_order(node, calm):
                if _is_set(walked, names):
                    yield Finding(_line(walked), "sort a set before its order can matter")


def machine(source: Source) -> Iterator[Finding]:
    """A builtin that prints, reads or remembers an address ties an answer to one machine."""
    exempt = {
        inner
        for node in ast.walk(source.syntax)
        if isinstance(node, ast.FunctionDef) and node.name == "__hash__"
        for inner in ast.walk(node)
    }
    for node in ast.walk(source.syntax):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in _MACHINE:
                yield Finding(_line(node), f"{name}() is not for the contract")
            case ast.Call(func=ast.Name(id="hash")) if node not in exempt:
                yield Finding(_line(node), "hash() differs from run to run")
            case _:
                pass


def auction_imports(source: Source) -> Iterator[Finding]:
    """A mechanism that knows the contract can no longer be read, or proven, by itself."""
    allowed = ("chaincode.auctions", "chaincode.units")
    for node in ast.walk(source.syntax):
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            names = (
                [f"chaincode.{a.name}" for a in node.names] if module == "chaincode" else [module]
            )
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            if name.split(".")[0] in {"chaincode", "identity"} and not name.startswith(allowed):
                yield Finding(_line(node), f"auctions are pure functions and know no {name}")


def divides_elsewhere(path: str) -> bool:
    """Whether a file of the contract leaves division to others."""
    return (
        in_contract(path)
        and path != "chaincode/units.py"
        and not path.startswith("chaincode/auctions/")
    )


def in_auctions(path: str) -> bool:
    """Whether `path` is a Python file of the market mechanisms."""
    return in_contract(path) and path.startswith("chaincode/auctions/")


def _line(node: ast.AST) -> int:
    return getattr(node, "lineno", 1)


def _scopes(tree: ast.Module) -> Iterator[ast.AST]:
    yield tree
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node


def _within(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a scope without those of the functions in it."""
    waiting = list(ast.iter_child_nodes(scope))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))


def _set_names(scope: ast.AST) -> set[str]:
    """Names of a scope that are annotated as a set or assigned one."""
    names: set[str] = set()
    for node in _within(scope):
        match node:
            case ast.arg(annotation=ast.expr() as annotation) if _is_set_type(annotation):
                names.add(node.arg)
            case ast.AnnAssign(target=ast.Name(id=name)) if _is_set_type(node.annotation):
                names.add(name)
            case ast.Assign(targets=[ast.Name(id=name)]) if _is_set(node.value, names):
                names.add(name)
            case _:
                pass
    return names


def _is_set_type(annotation: ast.expr) -> bool:
    outer = annotation.value if isinstance(annotation, ast.Subscript) else annotation
    return isinstance(outer, ast.Name) and outer.id in {"set", "frozenset", "AbstractSet"}


def _is_set(node: ast.AST, names: set[str]) -> bool:
    match node:
        case ast.Set() | ast.SetComp():
            return True
        case ast.Name():
            return node.id in names
        case ast.Call(func=ast.Name(id="set" | "frozenset")):
            return True
        case ast.Call(func=ast.Attribute(attr=attr, value=value)) if attr in _SET_METHODS:
            return _is_set(value, names)
        case ast.BinOp(op=ast.BitAnd() | ast.BitOr() | ast.Sub() | ast.BitXor()):
            return any(_is_set(x, names) or _is_view(x) for x in (node.left, node.right))
        case _:
            return False


def _is_view(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and (
        isinstance(node.func, ast.Attribute) and node.func.attr in {"keys", "items"}
    )


def _orderless_arguments(scope: ast.AST) -> set[ast.AST]:
    """Comprehensions whose consumer does not see their order."""
    return {
        argument
        for node in _within(scope)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in _ORDERLESS
        for argument in node.args
    }


def _walked_in_order(node: ast.AST, calm: set[ast.AST]) -> Iterator[ast.AST]:
    """The expressions that `node` walks in an order that its result shows."""
    match node:
        case ast.For() | ast.AsyncFor():
            yield node.iter
        case ast.ListComp() | ast.GeneratorExp() | ast.DictComp() if node not in calm:
            yield from (generator.iter for generator in node.generators)
        case ast.Call(func=ast.Name(id=name)) if name in _ORDERED and node not in calm:
            yield from node.args
        case ast.Call(func=ast.Attribute(attr="join" | "extend" | "fromkeys")):
            yield from node.args
        case ast.Call(func=ast.Attribute(attr="pop", value=value), args=[]):
            yield value
        case ast.Starred() | ast.YieldFrom():
            yield node.value
        case _:
            return


RULES = (
    Rule(
        "inexact",
        in_contract,
        inexact,
        bad=(
            "x = 0.5",
            "x = a / b",
            "x /= 2",
            "x = float(y)",
            "x = round(y)",
            "x = math.sqrt(y)",
            "from math import inf",
            "x = array.astype(numpy.float64)",
            "x = array.mean()",
        ),
        good=("x = a // b", "x = math.gcd(a, b)", "from math import isqrt", "x = '0.5'"),
    ),
    Rule(
        "division",
        divides_elsewhere,
        division,
        bad=("x = a // b", "x = a % b", "x //= 2", "x %= 2", "x, y = divmod(a, b)", "x = a / b"),
        good=("x = rows[i // 2]", "x = rows[(low + high) // 2 :]", "x = a * b", "x = '%s' % y"),
    ),
    Rule(
        "set order",
        in_contract,
        set_order,
        bad=(
            "for x in {1, 2}: put(x)",
            "for x in set(names): put(x)",
            "x = [y for y in frozenset(names)]",
            "x = list({y for y in names})",
            "x = ','.join(set(names))",
            "known = set(names)\nfor x in known: put(x)",
            "def f(known: set[str]) -> list[str]:\n    return [x for x in known]",
            "for x in old.keys() - new.keys(): put(x)",
            "for x in a.union(b) | set(c): put(x)",
            "x = [*{1, 2}]",
            "known = {1}\nx = known.pop()",
            "x = dict.fromkeys(set(names))",
        ),
        good=(
            "for x in sorted({1, 2}): put(x)",
            "known = set(names)\nx = sum(y for y in known)",
            "x = sorted(y for y in set(names))",
            "x = {y for y in set(names)}",
            "if x in set(names): put(x)",
            "for x in names: put(x)",
            "x = sorted(a.keys() | b.keys())",
            "x = rows.pop()",
        ),
    ),
    Rule(
        "machine",
        in_contract,
        machine,
        bad=("print(x)", "x = id(y)", "x = hash(y)", "x = open(y)", "x = eval(y)"),
        good=(
            "class A:\n    def __hash__(self) -> int:\n        return hash(self.x)",
            "x = self.id",
        ),
    ),
    Rule(
        "auction imports",
        in_auctions,
        auction_imports,
        bad=(
            "from chaincode.context import Context",
            "import chaincode.state",
            "from chaincode import orders",
            "from identity import jws",
        ),
        good=(
            "from chaincode.units import quota",
            "from chaincode.auctions.uniform import clear",
            "import numpy",
        ),
        sample_path="chaincode/auctions/sample.py",
    ),
)
