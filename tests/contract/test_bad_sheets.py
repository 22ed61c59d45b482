"""Sheets that cannot be what a wallet signs: each is refused with its code, nothing is stored."""

from __future__ import annotations

from base64 import urlsafe_b64encode

import pytest

from chaincode.orders.sheets import AMEND_TYP, SHEET_TYP
from identity.canonical import encode
from identity.jws import sign_compact
from identity.keys import PrivateKey
from tests.contract.stage.cast import SLOT, SLOT_S, did_of, key_of
from tests.contract.stage.market import Market, Opener
from tests.contract.stage.tokens import order_of

GOOD = (
    '{"area":"area","channel":"testing","contract":"commonwatt","meter":"S","orders":'
    f'[{{"id":"s","side":"sell","slot":{SLOT},"steps":[[100000,500]]}}],"v":1,'
    f'"valid_until_s":{SLOT - 300},"zone":"east"}}'
)


def signed(
    market: Market, payload: str, typ: str = SHEET_TYP, key: PrivateKey | None = None
) -> str:
    """A token over any text; where that names the contract, it is the market's own."""
    return sign_compact(key or key_of("S"), typ, own(market, payload).encode())


def own(market: Market, payload: str) -> str:
    """A text with the name of the market's own contract in it."""
    return payload.replace('"commonwatt"', f'"{market.ledger.contract}"')


def code_of(market: Market, token: str) -> str:
    """What one token is answered with; a refusal changes nothing."""
    before = market.state_hash()
    (answer,) = market.send([token])
    if answer.code != "PLACED":
        assert answer.sentence
        assert market.state_hash() == before
    return answer.code


def admit_seller(market: Market) -> None:
    """Admit S."""
    market.trader("S")


@pytest.fixture
def seller(open_market: Opener) -> Market:
    """A market with one seller, S."""
    return open_market(prepare=admit_seller)


def test_sheet_as_written_here_is_taken(seller: Market) -> None:
    assert code_of(seller, signed(seller, GOOD)) == "PLACED"


@pytest.mark.parametrize(
    ("part", "bad"),
    [
        pytest.param("500]", "500.0]", id="fractional quantity"),
        pytest.param("500]", "5e2]", id="exponent"),
        pytest.param("500]", '"500"]', id="quantity as text"),
        pytest.param("500]", "-500]", id="negative quantity"),
        pytest.param("500]", "null]", id="no quantity"),
        pytest.param("500]", "true]", id="truth for a quantity"),
        pytest.param("500]", "9007199254740992]", id="quantity beyond 2^53"),
        pytest.param("[100000,", "[0.5,", id="fractional price"),
        pytest.param("[100000,", '["100000",', id="price as text"),
        pytest.param("[100000,", "[-9007199254740992,", id="price beyond -2^53"),
        pytest.param("[100000,500]", "[100000]", id="step of one number"),
        pytest.param("[100000,500]", "[100000,500,1]", id="step of three numbers"),
        pytest.param(str(SLOT), "-900", id="slot before 1970"),
        pytest.param(str(SLOT), f'"{SLOT}"', id="slot as text"),
        pytest.param('"sell"', '"give"', id="third side"),
        pytest.param('"id":"s"', '"id":"s/1"', id="slash in an id"),
        pytest.param('"id":"s"', '"id":"s\\n"', id="line end in an id"),
        pytest.param('"id":"s"', f'"id":"{"s" * 65}"', id="long id"),
        pytest.param('"id":"s",', "", id="no id"),
        pytest.param('"v":1', '"v":2', id="another version"),
        pytest.param('"v":1', '"u":0,"v":1', id="unknown member"),
        pytest.param('"v":1', '"v":1,"v":1', id="member twice"),
        pytest.param('"v":1', '"v": 1', id="white space"),
        pytest.param('"v":1,', "", id="no version"),
        pytest.param(f'"valid_until_s":{SLOT - 300},', "", id="valid for ever"),
        pytest.param('"area":"area",', "", id="no area"),
        pytest.param(
            '"channel":"testing","contract":"commonwatt"',
            '"contract":"commonwatt","channel":"testing"',
            id="members in another order",
        ),
        pytest.param('"zone":"east"', '"zone":"e\\u0061st"', id="needless escape"),
        pytest.param(GOOD, "[]", id="a list"),
        pytest.param(GOOD, "", id="nothing"),
        pytest.param(GOOD, "\ufeff" + GOOD, id="byte order mark"),
    ],
)
def test_payload_that_is_no_sheet_is_unreadable(seller: Market, part: str, bad: str) -> None:
    assert part in GOOD

    assert code_of(seller, signed(seller, GOOD.replace(part, bad))) == "SHEET_UNREADABLE"


def test_token_of_another_purpose_is_unreadable(seller: Market) -> None:
    assert code_of(seller, signed(seller, GOOD, AMEND_TYP)) == "SHEET_UNREADABLE"


def test_token_with_a_changed_byte_is_refused(seller: Market) -> None:
    token = signed(seller, GOOD)
    header, payload, signature = token.split(".")
    flipped = ("B" if signature[0] == "A" else "A") + signature[1:]
    other = (
        urlsafe_b64encode(own(seller, GOOD).replace("500", "501").encode()).rstrip(b"=").decode()
    )

    assert code_of(seller, f"{header}.{payload}.{flipped}") == "SIGNATURE_INVALID"
    assert code_of(seller, f"{header}.{other}.{signature}") == "SIGNATURE_INVALID"
    assert code_of(seller, f"{header}.{payload}.") == "SHEET_UNREADABLE"
    assert code_of(seller, f"{header}.{payload}.{signature}=") == "SHEET_UNREADABLE"
    assert code_of(seller, f"{header}.{payload}") == "SHEET_UNREADABLE"
    assert code_of(seller, f" {token}") == "SHEET_UNREADABLE"
    assert code_of(seller, "ä.ö.ü") == "SHEET_UNREADABLE"
    assert code_of(seller, "") == "SHEET_UNREADABLE"


def test_sheet_signed_by_another_is_that_others(seller: Market) -> None:
    seller.trader("thief")

    token = signed(seller, GOOD, key=key_of("thief"))

    assert code_of(seller, token) == "METER_NOT_HELD"
    assert seller.orders("S") == []


def test_sheet_of_more_than_64_kib_is_unreadable_and_a_full_one_is_taken(seller: Market) -> None:
    """The full one has as many orders as a sheet may have, and as many a slot as a trader may."""

    def sheet(steps: int) -> str:
        listed = [
            order_of(
                f"o{number:03d}{'x' * 60}",
                "buy",
                [(-499_999, 1)] * steps,
                slot=SLOT + number // 50 * SLOT_S,
            )
            for number in range(200)
        ]
        return seller.tokens.sheet("S", listed)

    seller.pass_until(seller.rules.market.opening_s(SLOT + 3 * SLOT_S))
    full, long = sheet(1), sheet(18)
    assert len(full) < 65_536 < len(long)

    assert code_of(seller, long) == "SHEET_UNREADABLE"
    assert code_of(seller, full) == "PLACED"


def test_prices_are_lawful_down_to_the_bands_floor(seller: Market) -> None:
    def place(price: int, name: str) -> str:
        sheet = seller.tokens.sheet("S", [order_of(name, "sell", [(price, 10)])])
        return code_of(seller, sheet)

    assert place(-500_001, "below") == "PRICE_BAND"
    assert place(-500_000, "floor") == "PLACED"
    assert place(4_000_000, "ceiling") == "PLACED"
    assert place(4_000_001, "above") == "PRICE_BAND"


def test_batch_with_one_step_too_many_is_refused_and_with_as_many_as_allowed_is_taken(
    seller: Market,
) -> None:
    market = seller
    names = [f"T{number}" for number in range(40)]
    market.traders(*names)
    five = [order_of(f"o{number}", "buy", [(1, 1)] * 10) for number in range(5)]
    tokens = [market.tokens.sheet(name, five) for name in names]

    assert market.codes(tokens) == ["PLACED"] * 40  # 2,000 steps


def test_batch_takes_500_sheets(seller: Market) -> None:
    assert seller.codes(["x"] * 500) == ["SHEET_UNREADABLE"] * 500


def test_sheet_for_another_ledger_is_refused_on_this_one(seller: Market) -> None:
    for part, code in (('"testing"', "CHANNEL_WRONG"), ('"commonwatt"', "CONTRACT_WRONG")):
        assert code_of(seller, signed(seller, GOOD.replace(part, '"other"'))) == code


def test_did_in_the_header_is_who_signed(seller: Market) -> None:
    token = signed(seller, GOOD)
    header = encode({"alg": "EdDSA", "kid": did_of("X"), "typ": SHEET_TYP})
    text = urlsafe_b64encode(header).rstrip(b"=").decode()

    assert code_of(seller, ".".join([text, *token.split(".")[1:]])) == "SHEET_UNREADABLE"
    assert seller.orders("S") == []
