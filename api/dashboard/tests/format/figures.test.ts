import assert from "node:assert/strict";
import { test } from "node:test";
import * as figures from "../../src/format/figures.ts";

const plain = (text: string) => text.replaceAll("\u00a0", " ").replaceAll("\u202f", " ");

test("money always shows its sign, rounds half away from zero, and nothing has none", () => {
  for (const [nano, written] of [
    [840_000_000n, "+0.84 EUR"],
    [-840_000_000n, "−0.84 EUR"],
    [5_000_000n, "+0.01 EUR"],
    [4_999_999n, "0.00 EUR"],
    [-5_000_000n, "−0.01 EUR"],
    [0n, "0.00 EUR"],
    [1_234_567_891_000_000_000n, "+1 234 567 891.00 EUR"],
  ] as const) {
    assert.equal(plain(figures.signedMoney(nano, "EUR")), written);
  }
});

test("money beyond 2^53 loses nothing", () => {
  const nano = figures.money("90071992547409931234567891");
  assert.equal(plain(figures.exactMoney(nano, "EUR")), "+90 071 992 547 409 931.234567891 EUR");
});

test("exact money keeps the currency's decimals and cuts zeros behind them", () => {
  assert.equal(plain(figures.exactMoney(49_560_000n, "EUR")), "+0.04956 EUR");
  assert.equal(plain(figures.exactMoney(50_000_000_000n, "EUR")), "+50.00 EUR");
  assert.equal(plain(figures.exactMoney(-7_000_000_000n, "JPY")), "−7 JPY");
});

test("fine money has two decimals more", () => {
  assert.equal(plain(figures.fineMoney(-2_520_000n, "EUR")), "−0.0025 EUR");
});

test("an amount that is no whole number is refused", () => {
  for (const text of ["", "1.5", "1e3", "0x10", " 1", "--1"]) assert.throws(() => figures.money(text), RangeError);
});

test("sums are exact", () => {
  assert.equal(figures.sum(["9007199254740993", "-1"]), 9007199254740992n);
});

test("energy has at most three decimals, columns always three", () => {
  assert.equal(plain(figures.energy(420)), "0.42 kWh");
  assert.equal(plain(figures.energy(1000)), "1 kWh");
  assert.equal(plain(figures.energy(100_000)), "100 kWh");
  assert.equal(plain(figures.energy(0)), "0 kWh");
  assert.equal(plain(figures.energy(-5)), "−0.005 kWh");
  assert.equal(figures.energyColumn(420), "0.420");
});

test("prices are hundredths per kWh with two decimals", () => {
  assert.equal(plain(figures.price(118_000, "EUR")), "11.80 ct/kWh");
  assert.equal(plain(figures.price(-12_350, "EUR")), "−1.24 ct/kWh");
  assert.equal(plain(figures.price(118_000, "CHF")), "11.80 Rp./kWh");
});

test("what is typed becomes exact integers or nothing", () => {
  for (const [text, wh] of [
    ["1.5", 1500],
    ["1,5", 1500],
    [" 0.001 ", 1],
    [".5", 500],
    ["2.", 2000],
    ["0.0001", null],
    ["1.2.3", null],
    ["", null],
    ["abc", null],
    ["1e3", null],
  ] as const) {
    assert.equal(figures.typedEnergy(text), wh, text);
  }
  assert.equal(figures.typedPrice("-1.25"), -12_500);
  assert.equal(figures.typedPrice("10.00005"), null);
});

test("a typeable text is typed back as the same value", () => {
  for (const value of [0, 1, 999, 1480, 12_000_000]) {
    assert.equal(figures.typedEnergy(figures.typeable(value, 3)), value);
    assert.equal(figures.typedPrice(figures.typeable(-value, 4)), value ? -value : 0);
  }
  assert.equal(figures.typeable(100_000, 4), "10.00");
  assert.equal(figures.typeable(123_456, 4), "12.3456");
  assert.equal(figures.typeable(192_470, 4), "19.247");
  assert.equal(figures.typeable(192_400, 4), "19.24");
});

test("energy at a price is nano, exactly", () => {
  assert.equal(figures.worth(420, 118_000), 49_560_000n);
});
