"""Rules for every file, whatever its kind: what its text must not hold."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.house.tree import Finding, Rule, Source

# Written in pieces, for these files are checked as well.
_MARKER = re.compile(r"\b(?:" + "|".join(("FIX" + "ME", "TO" + "DO", "XX" + "X")) + r")\b")
_HOSTS = (
    "pypi" + ".org", "python" + "hosted.org", "npm" + "js.org", "npm" + "js.com",
    "static." + "crates.io", "index." + "crates.io", "proxy." + "golang.org",
    "repo." + "maven.apache.org", "repo1." + "maven.org", "deb." + "debian.org",
    "archive.ubuntu" + ".com", "docker" + ".io",
)  # fmt: skip
_OPTIONS = ("--index" + "-url", "--extra-index" + "-url", "--find" + "-links", "index" + "-url =")
_REGISTRY = re.compile("|".join(re.escape(text) for text in (*_HOSTS, *_OPTIONS)))
_FOLDERS = "|".join(("wo" + "rk", "ro" + "ot", "ho" + "me", "Us" + "ers"))
_MACHINE_PATH = re.compile(rf"(?<![\w.}}])/(?:{_FOLDERS})/\w|\.\./sha" + "red")
# Words that a reader whose English is plain has to read twice. Each is written in pieces here.
_HARD_WORDS = {
    "[Ww]ho" + "ever": "name who it is",
    "[Aa]n" + "ew": "say `again`",
    "(?<![Tt]here )(?:is|are|was|be) none": "say what it is, or `missing`, `invalid`, `not a ...`",
    "no" + "ne that": "say `no ... that`",
    "affair" + " of": "say who does it",
    "(?:go|goes|going|gone) o" + "n (?:with|from|where)": "say `resume` or `continue`",
    "has no" + " say": "say what is not allowed",
    "of its own" + " accord": "say `by itself` or what starts it",
}
_HARD = re.compile(r"\b(?:" + "|".join(_HARD_WORDS) + r")\b")
_TICKET = re.compile(r"\bissue" + r" #?\d")


def any_file(path: str) -> bool:
    """Whether a rule of wording holds for `path`; licence texts are others' words."""
    return path != "LICENSE"


def marker(source: Source) -> Iterator[Finding]:
    """A promise in a comment is kept by nobody; what is missing belongs where work is listed."""
    yield from _each(source, _MARKER, "do it, or say in the docstring what is left out")


def registry(source: Source) -> Iterator[Finding]:
    """An address of a registry breaks the install of everybody who uses a mirror."""
    yield from _each(source, _REGISTRY, "leave the registry to the machine that installs")


def machine_path(source: Source) -> Iterator[Finding]:
    """A path of the machine where it was written exists nowhere else."""
    yield from _each(source, _MACHINE_PATH, "take the path from the checkout or an argument")


def ticket(source: Source) -> Iterator[Finding]:
    """The number of a task means nothing to who has only the repository."""
    yield from _each(source, _TICKET, "say what is meant instead of a number")


def in_plain_english(path: str) -> bool:
    """Whether a rule of English holds for `path`: texts that we write; old decisions stay."""
    written = path.endswith((".py", ".md", ".ts", ".tsx", ".html", ".toml", ".yaml"))
    return written and not path.startswith(("docs/decisions/", "tests/identity/vectors/"))


def hard_words(source: Source) -> Iterator[Finding]:
    """A clerk or a household whose English is plain stumbles over these words."""
    for number, line in enumerate(source.lines, start=1):
        if match := _HARD.search(line):
            advice = next(say for word, say in _HARD_WORDS.items() if re.fullmatch(word, match[0]))
            yield Finding(number, f"{match[0]!r}: {advice}")


def _each(source: Source, pattern: re.Pattern[str], advice: str) -> Iterator[Finding]:
    for number, line in enumerate(source.lines, start=1):
        if match := pattern.search(line):
            yield Finding(number, f"{match[0]!r}: {advice}")


RULES = (
    Rule(
        "marker",
        any_file,
        marker,
        bad=("# TO" + "DO later", "# FIX" + "ME", "XX" + "X"),
        good=("x = 'TODOS'",),
    ),
    Rule(
        "registry",
        any_file,
        registry,
        bad=(f"x = 'https://{_HOSTS[0]}/simple'", f"x = '{_OPTIONS[0]} y'"),
        good=("x = 'https://www.simbench.de'",),
    ),
    Rule(
        "machine path",
        any_file,
        machine_path,
        bad=(f"x = '/{'wo' + 'rk'}/a'", f"x = '/{'ho' + 'me'}/a'", f"x = '../{'sha' + 'red'}'"),
        good=("x = '/tmp/a'", "x = 'https://a.example/home/b'", "x = 'network/b'"),
    ),
    Rule(
        "ticket",
        any_file,
        ticket,
        bad=("# see issue" + " 7", "# issue" + " #12"),
        good=("# issuer 7", "# issue credentials"),
    ),
    Rule(
        "hard words",
        in_plain_english,
        hard_words,
        bad=("# who" + "ever signs", "x = 'a key that is no" + "ne'", "# built an" + "ew"),
        good=("if x is None: pass", "# the caller signs", "# a new key", "# the switch goes on"),
        sample_path="docs/sample.md",
    ),
)
