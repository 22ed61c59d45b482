// The keys of the browser and what they sign: did:key and compact JWS, as `identity/` reads them.
//
// The header is the canonical JSON of alg, kid and typ; base64url without padding; signatures have
// 64 bytes, for P-256 r || s with the smaller of the two values of s.

import { base58 } from "./base58.ts";
import { canonical, type Json } from "./canonical.ts";

export type Algorithm = "Ed25519" | "P-256";

/** A key that can sign but never leaves the browser. */
export interface Signer {
  readonly did: string;
  readonly algorithm: Algorithm;
  readonly secret: CryptoKey;
}

export const SHEET_TYP = "commonwatt-sheet+jws";
export const AMEND_TYP = "commonwatt-amend+jws";
export const CANCEL_TYP = "commonwatt-cancel+jws";
export const SUPPLY_TYP = "commonwatt-supply+jws";
export const JOIN_TYP = "commonwatt-join+jws";
export const HOLD_TYP = "commonwatt-hold+jws";
export const LOGIN_TYP = "commonwatt-login+jws";

const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const text = new TextEncoder();

/** Base64url without padding. */
export function base64url(bytes: Uint8Array): string {
  let letters = "";
  for (const byte of bytes) letters += String.fromCharCode(byte);
  return btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

function fromBase64url(written: string): Uint8Array<ArrayBuffer> {
  const letters = atob(written.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
}

/** The did:key of a public key given as JSON Web Key. */
export function didOf(algorithm: Algorithm, jwk: JsonWebKey): string {
  const x = fromBase64url(jwk.x ?? "");
  if (algorithm === "Ed25519") return `did:key:z${base58(Uint8Array.of(0xed, 0x01, ...x))}`;
  const y = fromBase64url(jwk.y ?? "");
  const parity = (y[y.length - 1] ?? 0) & 1;
  return `did:key:z${base58(Uint8Array.of(0x80, 0x24, 2 + parity, ...x))}`;
}

/** The name of the single key of a DID. */
export function verificationMethod(did: string): string {
  return `${did}#${did.slice("did:key:".length)}`;
}

/** A P-256 signature with the smaller s. */
export function lowS(signature: Uint8Array): Uint8Array {
  let s = 0n;
  for (const byte of signature.slice(32)) s = s * 256n + BigInt(byte);
  if (s <= P256_ORDER / 2n) return signature;
  s = P256_ORDER - s;
  const low = signature.slice();
  for (let place = 63; place >= 32; place -= 1) {
    low[place] = Number(s & 0xffn);
    s >>= 8n;
  }
  return low;
}

/** The compact JWS of a payload. */
export async function sign(signer: Signer, typ: string, payload: Json): Promise<string> {
  const alg = signer.algorithm === "Ed25519" ? "EdDSA" : "ES256";
  const header = canonical({ alg, kid: verificationMethod(signer.did), typ });
  const message = `${base64url(text.encode(header))}.${base64url(text.encode(canonical(payload)))}`;
  const how = signer.algorithm === "Ed25519" ? "Ed25519" : { name: "ECDSA", hash: "SHA-256" };
  const raw = new Uint8Array(await crypto.subtle.sign(how, signer.secret, text.encode(message)));
  return `${message}.${base64url(signer.algorithm === "Ed25519" ? raw : lowS(raw))}`;
}

/** A new key: Ed25519, or P-256 where the browser has no Ed25519. */
export async function generate(): Promise<Signer> {
  for (const algorithm of ["Ed25519", "P-256"] as const) {
    let pair: CryptoKeyPair;
    try {
      pair = (await crypto.subtle.generateKey(shape(algorithm), false, ["sign", "verify"])) as CryptoKeyPair;
    } catch (error) {
      if (algorithm === "Ed25519" && error instanceof DOMException) continue;
      throw error;
    }
    const jwk = await crypto.subtle.exportKey("jwk", pair.publicKey);
    return { did: didOf(algorithm, jwk), algorithm, secret: pair.privateKey };
  }
  throw new Error("This browser cannot make the keys that a wallet needs (Ed25519 or P-256).");
}

/** The key in a PKCS#8 structure; the imported key cannot be exported again. */
export async function importPkcs8(der: Uint8Array<ArrayBuffer>): Promise<Signer> {
  for (const algorithm of ["Ed25519", "P-256"] as const) {
    let open: CryptoKey;
    try {
      open = await crypto.subtle.importKey("pkcs8", der, shape(algorithm), true, ["sign"]);
    } catch (error) {
      if (error instanceof DOMException) continue;
      throw error;
    }
    const jwk = await crypto.subtle.exportKey("jwk", open);
    const secret = await crypto.subtle.importKey("pkcs8", der, shape(algorithm), false, ["sign"]);
    return { did: didOf(algorithm, jwk), algorithm, secret };
  }
  throw new Error("This browser cannot use the key in the file. It needs an Ed25519 or a P-256 key.");
}

function shape(algorithm: Algorithm): { name: string; namedCurve?: string } {
  return algorithm === "Ed25519" ? { name: "Ed25519" } : { name: "ECDSA", namedCurve: "P-256" };
}
