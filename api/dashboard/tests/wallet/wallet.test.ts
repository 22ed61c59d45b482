import assert from "node:assert/strict";
import { createPublicKey, verify } from "node:crypto";
import { test } from "node:test";
import { base58 } from "../../src/wallet/base58.ts";
import { canonical } from "../../src/wallet/canonical.ts";
import { signSheet, words } from "../../src/wallet/sheets.ts";
import { didOf, generate, importPkcs8, lowS } from "../../src/wallet/tokens.ts";
import { openListed, pemBytes, readWallet, WalletRefused } from "../../src/wallet/walletfile.ts";

const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

function bytes(s: bigint): Uint8Array {
  const hex = s.toString(16).padStart(64, "0");
  return Uint8Array.from([...new Uint8Array(32).fill(7), ...Buffer.from(hex, "hex")]);
}

test("base58 writes leading zeros as ones", () => {
  assert.equal(base58(Uint8Array.of(0, 0, 1)), "112");
  assert.equal(base58(new TextEncoder().encode("Hello World!")), "2NEpo7TZRRrLZSi2U");
});

test("canonical JSON sorts members and takes exact integers only", () => {
  assert.equal(canonical({ b: 1, a: [true, null, "é\n"], A: -0 }), '{"A":0,"a":[true,null,"é\\n"],"b":1}');
  assert.throws(() => canonical({ a: 0.5 }), RangeError);
  assert.throws(() => canonical(2 ** 53), RangeError);
});

test("an Ed25519 key of RFC 8032 has the DID that identity/did.py gives it", async () => {
  const seed = Buffer.from("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "hex");
  const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
  const signer = await importPkcs8(Uint8Array.from(der));
  assert.equal(signer.did, "did:key:z6MktwupdmLXVVqTzCw4i46r4uGyosGXRnR3XjN4Zq7oMMsw");
  assert.equal(signer.secret.extractable, false);
});

test("a P-256 point is compressed by the parity of y", () => {
  const x = Buffer.alloc(32, 1).toString("base64url");
  const even = didOf("P-256", { x, y: Buffer.alloc(32, 2).toString("base64url") });
  const odd = didOf("P-256", { x, y: Buffer.alloc(32, 3).toString("base64url") });
  assert.match(even, /^did:key:zDn/);
  assert.match(odd, /^did:key:zDn/);
  assert.notEqual(even, odd);
});

test("of the two values of s the smaller is taken", () => {
  const high = ORDER - 5n;
  assert.deepEqual(lowS(bytes(high)), bytes(5n));
  assert.deepEqual(lowS(bytes(ORDER / 2n)), bytes(ORDER / 2n));
});

test("a sheet is a compact JWS whose signature holds", async () => {
  const signer = await generate();
  assert.equal(signer.secret.extractable, false);
  const place = { area: "lakeside", channel: "market", contract: "market" };
  const wish = { id: "w-1", side: "SELL", slot: 900, quantity: 1500, limit: 100_000 } as const;
  const token = await signSheet(signer, place, { id: "m1", zone: "z1" }, [wish], 600);
  const [header = "", payload = "", signature = ""] = token.split(".");
  assert.equal(
    Buffer.from(payload, "base64url").toString(),
    '{"area":"lakeside","channel":"market","contract":"market","meter":"m1","orders":[{"id":"w-1","side":"sell","slot":900,"steps":[[100000,1500]]}],"v":1,"valid_until_s":600,"zone":"z1"}',
  );
  const { kid } = JSON.parse(Buffer.from(header, "base64url").toString()) as { kid: string };
  assert.equal(kid, `${signer.did}#${signer.did.slice(8)}`);
  const raw = decodeBase58(signer.did.slice(9)).subarray(2);
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: raw.toString("base64url") }, format: "jwk" });
  assert.ok(verify(null, Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, "base64url")));
});

function decodeBase58(text: string): Buffer {
  const letters = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
  let number = 0n;
  for (const letter of text) number = number * 58n + BigInt(letters.indexOf(letter));
  return Buffer.from(number.toString(16).padStart(68, "0"), "hex");
}

test("what is signed is said in words", () => {
  const terms = { slotS: 900, timeZone: "UTC", currency: "EUR" };
  const said = words({ side: "SELL", slot: 44_100, quantity: 1500, limit: 100_000 }, terms);
  assert.equal(said.replaceAll("\u00a0", " "), "Sell up to 1.5 kWh between 12:15 and 12:30 for at least 10.00 ct/kWh.");
});

test("files that are no wallets are refused by name", () => {
  for (const content of ["", "[]", "null", '{"version":2,"keys":[]}', '{"version":1,"keys":[]}', '{"version":1,"keys":[{}]}']) {
    assert.throws(() => readWallet(content), WalletRefused, content);
  }
  assert.throws(() => pemBytes("no key"), WalletRefused);
});

// Written by `identity.wallet` with passphrase "correct horse" and 10,000 rounds.
const WALLET = String.raw`{"version": 1, "keys": [{"did": "did:key:z6MkvDqGT54cXesYGvABpF1UapVNwjCqRcafi4Px6Thv5T3Z", "label": "Ada", "pkcs8": "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGjMF8GCSqGSIb3DQEFDTBSMDEGCSqGSIb3DQEFDDAkBBCyFR06lTlnXpwlky7u\nJ5ZJAgInEDAMBggqhkiG9w0CCQUAMB0GCWCGSAFlAwQBKgQQNPpwqw5mdSnBfvmX\nlEvr2QRATlMxWVMpWbh1wt28oXj/G9tcpxvT7IXm4h/NHI7F4CxVPaxFde4XjTF2\ngq6nlOP00uzCbVSWlkzZd9+tEGwHRA==\n-----END ENCRYPTED PRIVATE KEY-----\n"}]}`;

test("a wallet file of the command line opens with its passphrase and with no other", async () => {
  const [listed] = readWallet(WALLET);
  assert.ok(listed);
  assert.equal((await openListed(listed, "correct horse")).did, listed.did);
  await assert.rejects(openListed(listed, "wrong horses"), WalletRefused);
});
