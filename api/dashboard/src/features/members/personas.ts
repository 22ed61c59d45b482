// The people of a demonstration whose part a visitor can play; a real market has none.

import { useEffect, useState } from "preact/hooks";
import type { Persona, Role } from "../../transport/types.ts";
import { keep, type Kept } from "../../wallet/keystore.ts";
import { importPkcs8 } from "../../wallet/tokens.ts";
import { pemBytes } from "../../wallet/walletfile.ts";

export const ROLE_NAMES: Readonly<Record<Role, string>> = {
  HOUSEHOLD: "household",
  RETAILER: "retailer",
  DSO: "grid operator",
  OPERATOR: "oracle operator",
  REGULATOR: "regulator",
};

/** What a role does in the market. */
export const ROLE_TASKS: Readonly<Record<Role, string>> = {
  HOUSEHOLD: "A household sells and buys electricity.",
  RETAILER: "A retailer keeps the accounts of its clients.",
  DSO: "The grid operator watches zones, meters and slots.",
  OPERATOR: "The oracle operator watches the nodes that read the meters.",
  REGULATOR: "The regulator can check every trade.",
};

let asked: Promise<Persona[]> | null = null;

async function fetched(): Promise<Persona[]> {
  try {
    const response = await fetch("/demonstration/personas", { credentials: "omit" });
    if (response.ok) return (await response.json()) as Persona[];
  } catch {
    // The market does not answer; the notice at the top of the page says so.
  }
  asked = null;
  return [];
}

/** The personas, fetched once for all parts of the page that list them. */
export function usePersonas(enrols: boolean): Persona[] {
  const [personas, setPersonas] = useState<Persona[]>([]);
  useEffect(() => {
    let left = false;
    if (enrols) {
      asked ??= fetched();
      void asked.then((list) => left || setPersonas(list));
    }
    return () => {
      left = true;
    };
  }, [enrols]);
  return personas;
}

/** Keeps a persona's key in this browser. Throws a sentence for people where the browser cannot use it. */
export async function borrow(persona: Persona): Promise<Kept> {
  try {
    return await keep(await importPkcs8(pemBytes(persona.pkcs8)), persona.name, true);
  } catch {
    throw new Error(`This browser cannot use the key of ${persona.name}. Make a wallet of your own instead.`);
  }
}
