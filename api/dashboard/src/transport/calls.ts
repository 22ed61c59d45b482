// One GraphQL call over HTTP: a POST with the access token, and an answer with its position in the ledger.

/** The newest block that an answer reflects; every answer names it. */
export interface Position {
  readonly block: number;
  readonly blockTime: number;
  readonly ageS: number;
  readonly writable: boolean;
}

/** A failure with the API's code and a sentence for people. */
export class Fault extends Error {
  constructor(
    readonly code: string,
    sentence: string,
  ) {
    super(sentence);
  }
}

export interface Answer<T> {
  readonly data: T;
  readonly position: Position | null;
}

interface Body {
  data?: unknown;
  errors?: { message: string; extensions?: { code?: string } }[];
  extensions?: Partial<Position>;
}

const DEADLINE_MS = 20_000;

/** Posts a query to `path`. Throws a `Fault`; its code is DISCONNECTED when no answer came. */
export async function call<T>(
  path: string,
  query: string,
  variables: Readonly<Record<string, unknown>>,
  token: string | null,
  signal?: AbortSignal,
): Promise<Answer<T>> {
  const headers: Record<string, string> = { "content-type": "application/json", accept: "application/json" };
  if (token) headers.authorization = `Bearer ${token}`;
  const deadline = AbortSignal.timeout(DEADLINE_MS);
  let response: Response;
  let body: Body;
  try {
    response = await fetch(path, {
      method: "POST",
      headers,
      body: JSON.stringify({ query, variables }),
      signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
      credentials: "omit",
    });
    body = (await response.json()) as Body;
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Fault("DISCONNECTED", "The market does not answer. The page keeps what you typed.");
  }
  const first = body.errors?.[0];
  if (first) throw new Fault(first.extensions?.code ?? `HTTP_${response.status}`, first.message);
  if (body.data === undefined || body.data === null) {
    throw new Fault(`HTTP_${response.status}`, "The page cannot read the answer of the market.");
  }
  return { data: body.data as T, position: positionOf(body.extensions) };
}

function positionOf(extensions: Partial<Position> | undefined): Position | null {
  if (typeof extensions?.block !== "number") return null;
  const { block, blockTime = 0, ageS = 0, writable = true } = extensions;
  return { block, blockTime, ageS, writable };
}
