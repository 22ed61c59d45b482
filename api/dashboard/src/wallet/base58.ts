// Base58 in Bitcoin's alphabet; each leading zero byte is written as a 1.

const ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/** The text of some bytes; the cost grows with the square of their number. */
export function base58(bytes: Uint8Array): string {
  let number = 0n;
  for (const byte of bytes) number = number * 256n + BigInt(byte);
  let text = "";
  while (number) {
    text = ALPHABET.charAt(Number(number % 58n)) + text;
    number /= 58n;
  }
  for (const byte of bytes) {
    if (byte) break;
    text = `1${text}`;
  }
  return text;
}
