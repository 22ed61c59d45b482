// How numbers are written. No other module turns an integer of the ledger into text.
//
// Energy comes in Wh, power in W, prices in micro-currency per kWh, times in seconds UTC, all exact
// below 2^53. Money comes as the decimal text of nano-currency and is a BigInt until it is written.
// Figures are rounded half away from zero; functions named `exact…` write all digits.

export const MINUS = "\u2212";
const NARROW = "\u202f";
const NANO_DIGITS = 9;
const MICRO_PER_HUNDREDTH = 10_000;

/** The name of a hundredth of a currency, where prices are quoted in hundredths. */
const HUNDREDTHS: Readonly<Record<string, string>> = { EUR: "ct", CHF: "Rp.", GBP: "p", USD: "¢" };

/** The decimals of a currency (ISO 4217); two unless it is listed here. */
const DECIMALS: Readonly<Record<string, number>> = { JPY: 0, KRW: 0, KWD: 3, BHD: 3 };

/** The integer that a text holds. Throws for any other text, so that no float gets in. */
export function money(text: string): bigint {
  if (!/^-?\d{1,40}$/.test(text)) throw new RangeError(`not a whole amount: ${text}`);
  return BigInt(text);
}

/** The sum of amounts in the form in which the API writes them. */
export function sum(amounts: Iterable<string>): bigint {
  let total = 0n;
  for (const amount of amounts) total += money(amount);
  return total;
}

/** `value / 10^scale` with `digits` decimals, half away from zero, without sign. */
function decimal(value: bigint, scale: number, digits: number): string {
  let size = value < 0n ? -value : value;
  if (digits < scale) {
    const step = 10n ** BigInt(scale - digits);
    size = (size + step / 2n) / step;
  } else {
    size *= 10n ** BigInt(digits - scale);
  }
  const text = size.toString().padStart(digits + 1, "0");
  const whole = text.slice(0, text.length - digits).replace(/\B(?=(\d{3})+$)/g, NARROW);
  return digits ? `${whole}.${text.slice(-digits)}` : whole;
}

function signOf(value: bigint, written: string): string {
  if (!/[1-9]/.test(written)) return "";
  return value < 0n ? MINUS : "+";
}

/** Money with its sign and the currency's decimals: "+0.84 EUR". */
export function signedMoney(amount: bigint, currency: string): string {
  return shortMoney(amount, currency, 0);
}

/** Money with two more decimals, for single postings, which are often below a hundredth. */
export function fineMoney(amount: bigint, currency: string): string {
  return shortMoney(amount, currency, 2);
}

function shortMoney(amount: bigint, currency: string, more: number): string {
  const written = decimal(amount, NANO_DIGITS, (DECIMALS[currency] ?? 2) + more);
  return `${signOf(amount, written)}${written}\u00a0${currency}`;
}

/** Money with all its digits and without trailing zeros: "+0.0495 EUR". */
export function exactMoney(amount: bigint, currency: string): string {
  const written = decimal(amount, NANO_DIGITS, NANO_DIGITS);
  const least = DECIMALS[currency] ?? 2;
  const point = written.indexOf(".");
  let end = written.length;
  while (end > point + 1 + least && written[end - 1] === "0") end -= 1;
  if (end === point + 1) end = point;
  return `${signOf(amount, written)}${written.slice(0, end)}\u00a0${currency}`;
}

/** Energy in kWh with as many decimals as it needs, at most three: "0.42 kWh". */
export function energy(wh: number | null): string {
  if (wh === null) return "\u2013";
  return `${energyNumber(wh)}\u00a0kWh`;
}

/** Energy as a number of kWh without its unit, for columns whose head names the unit; three decimals. */
export function energyColumn(wh: number | null): string {
  if (wh === null) return "\u2013";
  return (wh < 0 ? MINUS : "") + decimal(BigInt(wh), 3, 3);
}

function energyNumber(wh: number): string {
  const written = decimal(BigInt(wh), 3, 3).replace(/\.?0+$/, "");
  return (wh < 0 ? MINUS : "") + written;
}

/** Power in kW: "10.5 kW". */
export function power(watts: number): string {
  return `${energyNumber(watts)}\u00a0kW`;
}

/** The unit in which prices of a currency are quoted: "ct/kWh". */
export function priceUnit(currency: string): string {
  return `${HUNDREDTHS[currency] ?? `${currency}/100`}/kWh`;
}

/** A price as a number of hundredths per kWh without its unit; two decimals. */
export function priceColumn(micro: number): string {
  return (micro < 0 ? MINUS : "") + decimal(BigInt(micro), 4, 2);
}

/** A price with its unit: "11.80 ct/kWh". */
export function price(micro: number, currency: string): string {
  return `${priceColumn(micro)}\u00a0${priceUnit(currency)}`;
}

/** A price for the axis of a chart, where a float is precise enough. */
export function hundredths(micro: number): number {
  return micro / MICRO_PER_HUNDREDTH;
}

/** The money for an amount of energy at a price: Wh times micro-currency per kWh is exactly nano-currency. */
export function worth(wh: number, micro: number): bigint {
  return BigInt(wh) * BigInt(micro);
}

/** The Wh of a text that a person typed as kWh ("1.5" or "1,5"); null where the text is not such a number. */
export function typedEnergy(text: string): number | null {
  return typedScaled(text, 3);
}

/** The micro-currency per kWh of a text typed as hundredths ("10", "-1.25"); null where it is not such a number. */
export function typedPrice(text: string): number | null {
  return typedScaled(text, 4);
}

function typedScaled(text: string, scale: number): number | null {
  const found = /^\s*([-\u2212]?)(\d{0,9})(?:[.,](\d*))?\s*$/.exec(text);
  if (!found || !/\d/.test(text)) return null;
  const [, sign, whole = "", part = ""] = found;
  if (part.length > scale) return null;
  const size = Number(whole + part.padEnd(scale, "0"));
  return sign && size ? -size : size;
}

/** A price or an energy as the text of a field in which a person can change it. */
export function typeable(value: number, scale: 3 | 4): string {
  const written = decimal(BigInt(value), scale, scale).replaceAll(NARROW, "");
  const least = scale === 4 ? /(\.\d\d\d*?)0+$/ : /\.?0+$/;
  return (value < 0 ? "-" : "") + written.replace(least, scale === 4 ? "$1" : "");
}

/** A rate in parts per million as per cent: "19 %", "7.75 %". */
export function percent(ppm: number): string {
  return `${decimal(BigInt(ppm), 4, 4).replace(/\.?0+$/, "")}\u00a0%`;
}

/** "1 trade", "2 trades". */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${decimal(BigInt(n), 0, 0)} ${n === 1 ? one : many}`;
}
