"""A hundred GraphQL documents that must not be executed, each with the code that refuses it.

Most are made by counting up one thing at a time, up to 64 KB; the rest are what people have used
against GraphQL servers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

BYTES_MAX = 65_536


class Hostile(NamedTuple):
    """A document, what it tries, and the code of its refusal."""

    name: str
    text: str
    code: str


def hostile_documents() -> list[Hostile]:
    """All of them, none longer than 64 KB."""
    found = [*_texts(), *_nests(), *_counts(), *_fragments(), *_costs(), *_others()]
    assert all(len(each.text.encode()) <= BYTES_MAX for each in found)
    return found


def _filled(begin: str, piece: str, end: str, *, size: int = BYTES_MAX) -> str:
    """As many of `piece` between the two ends as fit."""
    return begin + piece * ((size - len(begin) - len(end)) // len(piece)) + end


def _texts() -> Iterator[Hostile]:
    for size in (16_500, 32_768, 65_536):
        for name, begin, piece, end in (
            ("fields", "{", "a ", "}"),
            ("comment lines", "{", "#\n", "a}"),
            ("commas", "{", ",", "a}"),
            ("one name", "{", "a", "}"),
            ("one string", '{book(zone:"', "x", '"){slot}}'),
            ("one block string", '{book(zone:"""', "x\n", '"""){slot}}'),
            ("quotes", "{", '"', "}"),
            ("block quotes", "{", '""""""', ""),
            ("backslashes", '{book(zone:"', "\\\\", '"){slot}}'),
            ("numbers", "{book(slot:", "9", "){slot}}"),
            ("braces", "", "{a", ""),
            ("brackets", "{a(b:", "[", ")}"),
        ):
            text = _filled(begin, piece, end, size=size)
            yield Hostile(f"{size} bytes of {name}", text, "DOCUMENT_TOO_LONG")
    yield Hostile("tokens", _filled("{", "a ", "}", size=16_384), "DOCUMENT_TOO_MANY_TOKENS")
    yield Hostile(
        "arguments", _filled("{", "a(b:$c)", "}", size=16_384), "DOCUMENT_TOO_MANY_TOKENS"
    )
    yield Hostile(
        "numbers", _filled("{a(b:[", "1 ", "])}", size=16_384), "DOCUMENT_TOO_MANY_TOKENS"
    )
    yield Hostile("comments", _filled("{", "#\n", "a}", size=16_384), "DOCUMENT_TOO_MANY_COMMENTS")
    yield Hostile("a name", _filled("{", "a", "}", size=16_384), "DOCUMENT_WORD")
    yield Hostile("a number", _filled("{a(b:", "1", ")}", size=16_384), "DOCUMENT_WORD")
    yield Hostile("quotes", _filled("{", '"', "}", size=16_384), "DOCUMENT_TOO_MANY_TOKENS")
    yield Hostile("an open string", _filled('{a(b:"', "x", "", size=16_384), "DOCUMENT_SYNTAX")
    yield Hostile("an open block", _filled('{a(b:"""', "x", "", size=16_384), "DOCUMENT_SYNTAX")
    yield Hostile("backslashes", _filled('{a(b:"', "\\", "", size=16_383), "DOCUMENT_SYNTAX")
    yield Hostile("nothing", "", "DOCUMENT_SYNTAX")
    yield Hostile("only commas", ",,,", "DOCUMENT_SYNTAX")
    yield Hostile("an open brace", "{market{area}", "DOCUMENT_SYNTAX")
    yield Hostile("control characters", "{\x00market{area}}", "DOCUMENT_SYNTAX")


def _nests() -> Iterator[Hostile]:
    code = "DOCUMENT_TOO_DEEP"
    for depth in (19, 200):
        text = "{market{" + "... {" * depth + "area" + "}" * (depth + 2)
        yield Hostile(f"{depth} inline fragments", text, code)
    yield Hostile("lists", "{a(b:" + "[" * 300 + "]" * 300 + "){c}}", code)
    yield Hostile("objects", "{a(b:" + "{a:" * 150 + "1" + "}" * 150 + "){c}}", code)
    yield Hostile("braces", "{a" * 250 + "}" * 250, code)
    yield Hostile("braces left open", "{" * 400, code)
    trades = "trades{postings{id} id}"
    text = f"{{myOrders{{nodes{{{trades}}}}}}}"
    yield Hostile("orders, trades, postings", text, "DOCUMENT_TOO_COSTLY")


def _counts() -> Iterator[Hostile]:
    for count in (31, 60, 80):
        aliases = " ".join(f"a{n}:viewer{{did}}" for n in range(count))
        yield Hostile(f"{count} aliases", f"{{{aliases}}}", "DOCUMENT_TOO_MANY_ALIASES")
    aliases = " ".join(f"a{n}:area" for n in range(100))
    yield Hostile("aliases of a leaf", f"{{market{{{aliases}}}}}", "DOCUMENT_TOO_MANY_ALIASES")
    for count in (18, 100, 300):
        yield Hostile(
            f"{count} of one field", f"{{market{{{'area ' * count}}}}}", "DOCUMENT_REPEATS"
        )
    yield Hostile("one root again and again", "{" + "market{area} " * 100 + "}", "DOCUMENT_REPEATS")
    twice = "zones{slot} " * 2
    yield Hostile(
        "doubles of doubles", "{" + f"slots{{nodes{{{twice * 10}}}}}" * 5 + "}", "DOCUMENT_REPEATS"
    )
    for count in (11, 80):
        directives = " @include(if:true)" * count
        yield Hostile(
            f"{count} directives", f"{{market{directives}{{area}}}}", "DOCUMENT_TOO_MANY_DIRECTIVES"
        )
    yield Hostile("an unknown directive", "{market @stream {area}}", "DIRECTIVE_UNKNOWN")
    yield Hostile(
        "a directive on the operation", "query @defer {market{area}}", "DIRECTIVE_UNKNOWN"
    )
    variables = ",".join(f"$v{n}:Int" for n in range(31))
    yield Hostile("variables", f"query({variables}){{market{{area}}}}", "VARIABLES_TOO_MANY")
    yield Hostile(
        "operations", "query a{market{area}} query b{market{area}}", "DOCUMENT_OPERATIONS"
    )
    yield Hostile(
        "many operations",
        "".join(f"query q{n}{{market{{area}}}}" for n in range(70)),
        "DOCUMENT_OPERATIONS",
    )
    mutations = " ".join(f"a{n}:challenge(did:1){{nonce}}" for n in range(20))
    yield Hostile("mutations", f"mutation{{{mutations}}}", "DOCUMENT_MUTATIONS")
    yield Hostile("two subscriptions", "subscription{slots{start} prices{price}}", "DOCUMENT_ROOTS")


def _fragments() -> Iterator[Hostile]:
    circle = "{market{...a}} fragment a on Market{...b} fragment b on Market{...a}"
    yield Hostile("a circle", circle, "FRAGMENT_CIRCLE")
    yield Hostile("itself", "{market{...a}} fragment a on Market{...a}", "FRAGMENT_CIRCLE")
    long = "".join(f" fragment f{n} on Market{{...f{(n + 1) % 30}}}" for n in range(30))
    yield Hostile("a long circle", f"{{market{{...f0}}}}{long}", "FRAGMENT_CIRCLE")
    for width in (2, 5):
        spreads = " ".join("...f{0}" for _ in range(width))
        chain = "".join(f" fragment f{n} on Market{{{spreads.format(n + 1)}}}" for n in range(29))
        text = f"{{market{{{spreads.format(0)}}}}}{chain} fragment f29 on Market{{area}}"
        yield Hostile(f"{width} to the 30th", text, "DOCUMENT_REPEATS")
    # 767 bytes that cost seconds where each spread is walked again.
    chain = "".join(
        f" fragment {chr(97 + n)} on Market{{{f'...{chr(98 + n)} ' * 2}}}" for n in range(20)
    )
    yield Hostile(
        "a small bomb",
        f"{{market{{...a}}}}{chain} fragment u on Market{{area}}",
        "DOCUMENT_REPEATS",
    )
    many = "".join(f" fragment f{n} on Market{{area}}" for n in range(60))
    yield Hostile("many fragments", f"{{market{{...f0}}}}{many}", "DOCUMENT_TOO_MANY_FRAGMENTS")
    yield Hostile("unused", "{market{area}} fragment a on Market{area}", "FRAGMENT_UNUSED")
    yield Hostile(
        "unused in a circle",
        "{market{area}} fragment a on Market{...b} fragment b on Market{...a}",
        "FRAGMENT_UNUSED",
    )
    yield Hostile("unknown", "{market{...a}}", "FRAGMENT_UNKNOWN")
    yield Hostile(
        "twice",
        "{market{...a}} fragment a on Market{area} fragment a on Market{area}",
        "FRAGMENT_TWICE",
    )
    yield Hostile("another type", "{market{...a}} fragment a on Zone{id}", "FRAGMENT_TYPE")
    yield Hostile("an inline one of another type", "{market{... on Zone{id}}}", "FRAGMENT_TYPE")
    yield Hostile("on nothing", "{... on Nothing{a}}", "FRAGMENT_TYPE")


def _costs() -> Iterator[Hostile]:
    prices = "prices(zone:1,from:0,to:9999999999){slot price volume orders trades zone}"
    for count in (5, 10, 20):
        text = " ".join(f"a{n}:{prices}" for n in range(count))
        yield Hostile(f"{count} x 2,000 prices", f"{{{text}}}", "DOCUMENT_TOO_COSTLY")
    slots = "slots(first:500){nodes{zones{slot price volume orders trades}}}"
    yield Hostile("zones of 500 slots", f"{{{slots}}}", "DOCUMENT_TOO_COSTLY")
    yield Hostile("a page of a million", "{slots(first:1000000){totalCount}}", "ARGUMENT_RANGE")
    yield Hostile("a page of 501", "{slots(first:501){nodes{start}}}", "ARGUMENT_RANGE")
    text = "query($n:Int=400){slots(first:$n){nodes{zones{slot price volume orders trades}}}}"
    yield Hostile("by a variable's default", text, "DOCUMENT_TOO_COSTLY")
    yield Hostile(
        "edges and nodes",
        "{slots(first:500){edges{node{zones{price slot zone}}} nodes{zones{price slot zone}}}}",
        "DOCUMENT_TOO_COSTLY",
    )


def _others() -> Iterator[Hostile]:
    introspection = "{__schema{types{name fields{name type{name}}}}}"
    yield Hostile("introspection", introspection, "UNAUTHENTICATED")
    yield Hostile("one type", '{__type(name:"Market"){name}}', "UNAUTHENTICATED")
    yield Hostile(
        "introspection in a fragment",
        "{...a} fragment a on Query{__schema{types{name}}}",
        "UNAUTHENTICATED",
    )
    yield Hostile("an aliased introspection", "{market:__schema{types{name}}}", "UNAUTHENTICATED")
    yield Hostile(
        "circles of introspection",
        "{__schema{types{fields{type{fields{type{fields{name}}}}}}}}",
        "UNAUTHENTICATED",
    )
    yield Hostile("an unknown field", "{markets{area}}", "FIELD_UNKNOWN")
    yield Hostile(
        "many unknown fields",
        "{market{" + " ".join(f"areas{n}" for n in range(300)) + "}}",
        "FIELD_UNKNOWN",
    )
    yield Hostile("a leaf selected from", "{market{area{id}}}", "FIELD_LEAF")
    yield Hostile("no selection", "{market}", "FIELD_BARE")
    yield Hostile("an undeclared variable", "{slot(start:$a){start}}", "DOCUMENT_INVALID")
    yield Hostile("an unknown argument", "{market(areas:1){area}}", "ARGUMENT_UNKNOWN")
    yield Hostile("a type of its own", "type Query{a:Int} {market{area}}", "DOCUMENT_KIND")
    yield Hostile(
        "an extension of the schema", "extend type Query{a:Int} {market{area}}", "DOCUMENT_KIND"
    )
    yield Hostile("only a fragment", "fragment a on Market{area}", "DOCUMENT_OPERATIONS")
    yield Hostile("a subscription by POST", "subscription{slots{start}}", "OPERATION_KIND")
    yield Hostile("somebody's orders", "{myOrders{nodes{id}}}", "UNAUTHENTICATED")
    yield Hostile("somebody's balance", '{balance(owner:"did:key:z"){amount}}', "UNAUTHENTICATED")
    yield Hostile("an order", 'mutation{placeOrders(tokens:["a"]){code}}', "UNAUTHENTICATED")
