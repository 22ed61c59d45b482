// Wallet files of the command line: JSON with PKCS#8 keys under one passphrase.
//
// The frame is PBES2 with PBKDF2-HMAC-SHA256 and AES-256-CBC (RFC 8018), the only one that
// `identity/pkcs8.py` writes; others are refused by name.

import { importPkcs8, type Signer } from "./tokens.ts";

export class WalletRefused extends Error {}

/** A key of a wallet file as it is listed, still closed. */
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
  if (content.length > FILE_BYTES_MAX) throw new WalletRefused("The file is larger than a wallet can be.");
  let file: { version?: unknown; keys?: unknown };
  try {
    file = JSON.parse(content) as typeof file;
  } catch {
    throw new WalletRefused("The file is no wallet: it is not JSON.");
  }
  if (file?.version !== 1 || !Array.isArray(file.keys) || !file.keys.length) {
    throw new WalletRefused("The file is no wallet of version 1 with at least one key.");
  }
  return file.keys.map((entry: Partial<Listed>) => {
    if (typeof entry?.did !== "string" || typeof entry.pkcs8 !== "string") {
      throw new WalletRefused("The wallet lists a key without its DID.");
    }
    return { did: entry.did, label: typeof entry.label === "string" ? entry.label : "", pkcs8: entry.pkcs8 };
  });
}

/** Opens a listed key with the wallet's passphrase. */
export async function openListed(listed: Listed, passphrase: string): Promise<Signer> {
  const signer = await importPkcs8(await decrypt(pemBytes(listed.pkcs8), passphrase));
  if (signer.did !== listed.did) throw new WalletRefused("The wallet is damaged: a key is not the one listed.");
  return signer;
}

/** The bytes of a PEM with one block. */
export function pemBytes(pem: string): Uint8Array<ArrayBuffer> {
  const found = /-----BEGIN ([A-Z ]+)-----([A-Za-z0-9+/=\s]+)-----END \1-----/.exec(pem);
  if (!found?.[2]) throw new WalletRefused("The key is not written as PEM.");
  return Uint8Array.from(atob(found[2].replace(/\s/g, "")), (letter) => letter.charCodeAt(0));
}

/** The PKCS#8 inside an encrypted frame. */
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
  if (iterations < 1 || iterations > ROUNDS_MAX) throw new WalletRefused("The key asks for too many rounds.");
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
    if (error instanceof DOMException) throw new WalletRefused("The passphrase does not open this wallet.");
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
    if (size > 0x82) throw new WalletRefused("The key has a length that is not read here.");
    if (size >= 0x80) {
      const width = size - 0x80;
      size = 0;
      for (let index = 0; index < width; index += 1) size = size * 256 + (bytes[place + index] ?? 0);
      place += width;
    }
    if (place + size > bytes.length) throw new WalletRefused("The key ends in the middle.");
    found.push({ tag, content: new Uint8Array(bytes.slice(place, place + size)) });
    place += size;
  }
  return found;
}

function need(element: Element | undefined, tag: number): Uint8Array<ArrayBuffer> {
  if (element?.tag !== tag) throw new WalletRefused("The key is not in the frame that wallets use.");
  return element.content;
}

function expect(element: Element | undefined, identifier: string, part: string): void {
  const hex = Array.from(need(element, 0x06), (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (hex !== identifier) throw new WalletRefused(`The key's ${part} is not the one that wallets use.`);
}
