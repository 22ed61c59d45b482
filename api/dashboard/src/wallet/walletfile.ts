// Wallet files of the command line: JSON with PKCS#8 keys that one passphrase encrypts.
//
// The encryption is PBES2 with PBKDF2-HMAC-SHA256 and AES-256-CBC (RFC 8018), the only one that
// `identity/pkcs8.py` writes. Other kinds are refused, and the message names what differs.

import { importPkcs8, type Signer } from "./tokens.ts";

export class WalletRefused extends Error {}

/** A key of a wallet file that is still encrypted. */
export interface Listed {
  readonly did: string;
  readonly label: string;
  readonly pkcs8: string;
}

const FILE_BYTES_MAX = 2_097_152;
const ROUNDS_MAX = 8_388_607;
const PBES2 = "2a864886f70d01050d";
const PBKDF2 = "2a864886f70d01050c";
const HMAC_SHA256 = "2a864886f70d0209";
const AES_256_CBC = "60864801650304012a";

/** The keys that a wallet file lists, newest first. */
export function readWallet(content: string): Listed[] {
  if (content.length > FILE_BYTES_MAX) throw new WalletRefused("This file is too large to be a wallet.");
  let file: { version?: unknown; keys?: unknown };
  try {
    file = JSON.parse(content) as typeof file;
  } catch {
    throw new WalletRefused("This file is not a wallet: it is not JSON.");
  }
  if (file?.version !== 1 || !Array.isArray(file.keys) || !file.keys.length) {
    throw new WalletRefused("This file is not a wallet of version 1 with at least one key.");
  }
  return file.keys.map((entry: Partial<Listed>) => {
    if (typeof entry?.did !== "string" || typeof entry.pkcs8 !== "string") {
      throw new WalletRefused("The wallet file lists a key without its ID.");
    }
    return { did: entry.did, label: typeof entry.label === "string" ? entry.label : "", pkcs8: entry.pkcs8 };
  });
}

/** Decrypts a listed key with the passphrase of the wallet. */
export async function openListed(listed: Listed, passphrase: string): Promise<Signer> {
  const signer = await importPkcs8(await decrypt(pemBytes(listed.pkcs8), passphrase));
  if (signer.did !== listed.did) throw new WalletRefused("The wallet file is damaged: a key does not match its ID.");
  return signer;
}

/** The bytes of a PEM with one block. */
export function pemBytes(pem: string): Uint8Array<ArrayBuffer> {
  const found = /-----BEGIN ([A-Z ]+)-----([A-Za-z0-9+/=\s]+)-----END \1-----/.exec(pem);
  if (!found?.[2]) throw new WalletRefused("The key is not in PEM format.");
  return Uint8Array.from(atob(found[2].replace(/\s/g, "")), (letter) => letter.charCodeAt(0));
}

/** The PKCS#8 key inside an encrypted structure. */
export async function decrypt(frame: Uint8Array, passphrase: string): Promise<Uint8Array<ArrayBuffer>> {
  const [outer] = elements(frame);
  const [scheme, sealed] = elements(need(outer, 0x30));
  const [schemeId, parameters] = elements(need(scheme, 0x30));
  expect(schemeId, PBES2, "scheme");
  const [derivation, cipher] = elements(need(parameters, 0x30));
  const [derivationId, counted] = elements(need(derivation, 0x30));
  expect(derivationId, PBKDF2, "derivation");
  const [salt, rounds, ...rest] = elements(need(counted, 0x30));
  expect(elements(need(rest[rest.length - 1], 0x30))[0], HMAC_SHA256, "hash");
  const [cipherId, vector] = elements(need(cipher, 0x30));
  expect(cipherId, AES_256_CBC, "cipher");
  const iterations = need(rounds, 0x02).reduce((number, byte) => number * 256 + byte, 0);
  if (iterations < 1 || iterations > ROUNDS_MAX) throw new WalletRefused("The key needs too many rounds to be decrypted.");
  const secret = new TextEncoder().encode(passphrase.normalize("NFC"));
  const base = await crypto.subtle.importKey("raw", secret, "PBKDF2", false, ["deriveKey"]);
  const key = await crypto.subtle.deriveKey(
    { name: "PBKDF2", hash: "SHA-256", salt: need(salt, 0x04), iterations },
    base,
    { name: "AES-CBC", length: 256 },
    false,
    ["decrypt"],
  );
  try {
    return new Uint8Array(
      await crypto.subtle.decrypt({ name: "AES-CBC", iv: need(vector, 0x04) }, key, need(sealed, 0x04)),
    );
  } catch (error) {
    if (error instanceof DOMException) throw new WalletRefused("This passphrase does not open the wallet.");
    throw error;
  }
}

interface Element {
  readonly tag: number;
  readonly content: Uint8Array<ArrayBuffer>;
}

/** The DER elements that stand one after another in some bytes. */
function elements(bytes: Uint8Array): Element[] {
  const found: Element[] = [];
  let place = 0;
  while (place < bytes.length) {
    const tag = bytes[place] ?? 0;
    let size = bytes[place + 1] ?? 0;
    place += 2;
    if (size > 0x82) throw new WalletRefused("The key has a field that is too long.");
    if (size >= 0x80) {
      const width = size - 0x80;
      size = 0;
      for (let index = 0; index < width; index += 1) size = size * 256 + (bytes[place + index] ?? 0);
      place += width;
    }
    if (place + size > bytes.length) throw new WalletRefused("The key is cut off.");
    found.push({ tag, content: new Uint8Array(bytes.slice(place, place + size)) });
    place += size;
  }
  return found;
}

function need(element: Element | undefined, tag: number): Uint8Array<ArrayBuffer> {
  if (element?.tag !== tag) throw new WalletRefused("The key is not encrypted in the way that wallets use.");
  return element.content;
}

function expect(element: Element | undefined, identifier: string, part: string): void {
  const hex = Array.from(need(element, 0x06), (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (hex !== identifier) throw new WalletRefused(`The ${part} of the key is not the one that wallets use.`);
}
