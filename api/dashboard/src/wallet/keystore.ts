// The keys of this browser, stored in IndexedDB as CryptoKeys that cannot be exported. Nothing else is stored there.

import type { Algorithm, Signer } from "./tokens.ts";

/** A stored key, its label for people, and whether it belongs to a persona of a demonstration. */
export interface Kept extends Signer {
  readonly label: string;
  readonly persona: boolean;
}

/** Makes a key the one that signs from now on; null: nobody is signed in. */
export type Take = (next: Kept | null) => void;

const CURRENT = "commonwatt.did";

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open("commonwatt", 1);
    request.onupgradeneeded = () => request.result.createObjectStore("keys", { keyPath: "did" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("This browser cannot store keys."));
  });
}

async function run<T>(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const database = await open();
  try {
    return await new Promise<T>((resolve, reject) => {
      const transaction = database.transaction("keys", mode);
      const request = act(transaction.objectStore("keys"));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onerror = () => reject(transaction.error ?? new Error("This browser did not store the key."));
      transaction.onabort = transaction.onerror;
    });
  } finally {
    database.close();
  }
}

/** Keeps a key and makes it the current one. */
export async function keep(signer: Signer, label: string, persona: boolean): Promise<Kept> {
  const kept: Kept = { did: signer.did, algorithm: signer.algorithm, secret: signer.secret, label, persona };
  await run("readwrite", (store) => store.put(kept));
  choose(kept.did);
  return kept;
}

/** All kept keys. */
export async function kept(): Promise<Kept[]> {
  const rows = (await run("readonly", (store) => store.getAll())) as (Kept & { algorithm: Algorithm })[];
  return rows;
}

/** The key that signs at present, if there is one. */
export async function current(): Promise<Kept | null> {
  const did = localStorage.getItem(CURRENT);
  if (!did) return null;
  return ((await run("readonly", (store) => store.get(did))) as Kept | undefined) ?? null;
}

/** Makes a kept key the current one; null: none. */
export function choose(did: string | null): void {
  if (did) localStorage.setItem(CURRENT, did);
  else localStorage.removeItem(CURRENT);
}

/** Forgets a key for good: what it signed stays signed, but nobody signs with it again. */
export async function forget(did: string): Promise<void> {
  await run("readwrite", (store) => store.delete(did));
  if (localStorage.getItem(CURRENT) === did) choose(null);
}
