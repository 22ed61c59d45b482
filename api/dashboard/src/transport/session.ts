// Signing in: the browser's key signs a nonce that is used once, and the API gives an access token for ten minutes.
//
// No token is stored: after a reload the key signs again. A token is refreshed before it ends; when
// the API refuses that, the key signs in again.

import { sign, LOGIN_TYP, type Signer } from "../wallet/tokens.ts";
import { call, Fault, type Answer } from "./calls.ts";
import type { Market, Session } from "./types.ts";

const EARLY_S = 45; // a token is refreshed this long before its end

let signer: Signer | null = null;
let session: Session | null = null;
let renewing: Promise<Session> | null = null;

/** Sets the key that signs from now on, and drops the old session. */
export function use(next: Signer | null): void {
  signer = next;
  session = null;
  renewing = null;
}

/** A valid access token; null for a visitor who is not signed in. */
export async function accessToken(): Promise<string | null> {
  if (!signer) return null;
  if (session && session.expires - EARLY_S > Date.now() / 1000) return session.accessToken;
  const asked = signer;
  renewing ??= renew(asked).finally(() => {
    renewing = null;
  });
  const renewed = await renewing;
  if (signer === asked) session = renewed;
  return renewed.accessToken;
}

/** A call by the current key. When the API refuses its token, the key signs in again and repeats the call. */
export async function ask<T>(
  query: string,
  variables: Readonly<Record<string, unknown>> = {},
  signal?: AbortSignal,
): Promise<Answer<T>> {
  const token = await accessToken();
  const path = session?.role === "REGULATOR" && !query.startsWith("mutation") ? "/regulator/graphql" : "/graphql";
  try {
    return await call<T>(path, query, variables, token, signal);
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== "UNAUTHENTICATED" || !token) throw error;
    session = null;
    return await call<T>(path, query, variables, await accessToken(), signal);
  }
}

async function renew(who: Signer): Promise<Session> {
  if (session) {
    try {
      const answer = await call<{ refresh: Session }>("/graphql", REFRESH, { token: session.refreshToken }, null);
      return answer.data.refresh;
    } catch (error) {
      if (!(error instanceof Fault) || error.code === "DISCONNECTED") throw error;
    }
  }
  return signIn(who);
}

async function signIn(who: Signer): Promise<Session> {
  const asked = await call<{
    challenge: { nonce: string; audience: string };
  }>("/graphql", CHALLENGE, { did: who.did }, null);
  const place = await call<{ market: Pick<Market, "channel" | "contract"> }>("/graphql", PLACE, {}, null);
  const token = await sign(who, LOGIN_TYP, {
    aud: asked.data.challenge.audience,
    channel: place.data.market.channel,
    contract: place.data.market.contract,
    iat: Math.floor(Date.now() / 1000),
    nonce: asked.data.challenge.nonce,
    origin: location.origin,
  });
  return (await call<{ signIn: Session }>("/graphql", SIGN_IN, { token }, null)).data.signIn;
}

const PLACE = "query Place { market { channel contract } }";
const CHALLENGE = "mutation Challenge($did: ID!) { challenge(did: $did) { nonce audience } }";
const SESSION = "{ accessToken refreshToken expires role did }";
const SIGN_IN = `mutation SignIn($token: String!) { signIn(token: $token) ${SESSION} }`;
const REFRESH = `mutation Refresh($token: String!) { refresh(refreshToken: $token) ${SESSION} }`;
