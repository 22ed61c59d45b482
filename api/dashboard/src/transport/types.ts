// The API's types as the dashboard reads them. A view asks only for the fields that it shows.

export type Role = "HOUSEHOLD" | "RETAILER" | "DSO" | "OPERATOR" | "REGULATOR";
export type Side = "BUY" | "SELL";
export type OrderState = "LISTED" | "MATCHED" | "EXECUTING" | "SETTLED" | "DISPUTED" | "EXPIRED" | "CANCELLED";
export type SlotPhase = "OPEN" | "CLOSED" | "CLEARING" | "CLEARED" | "SETTLING" | "SETTLED" | "CORRECTING";
export type Quality = "MEASURED" | "VALIDATED";

export interface Market {
  area: string;
  channel: string;
  contract: string;
  currency: string;
  timeZone: string;
  slotS: number;
  marketTime: number;
  rate: number;
  engine: string;
  writable: boolean;
  sentence: string;
  block: number;
  blockTime: number;
  openSlots: SlotTerms[];
  demonstration: boolean;
  enrols: boolean;
  publicBook: boolean;
}
export interface SlotTerms {
  start: number;
  gate: number;
  priceMin: number;
  priceMax: number;
  /** What a seller pays on energy that it sold and did not deliver; 0: nothing. */
  shortfallPenalty: number;
}
export interface Meter {
  id: string;
  zone: string;
  retailer: string | null;
  offtaker: string | null;
  holder: string;
  importPower: number;
  exportPower: number;
  source: string;
  fromSlot: number;
  firstSlot: number | null;
  retired: boolean;
  lastReading: Reading | null;
  health: { state: string; sentence: string; at: number } | null;
}
export interface Viewer {
  did: string;
  role: Role;
  member: string | null;
  name: string | null;
  retailer: string | null;
  zone: string | null;
  locked: boolean;
  meters: Meter[];
}
export interface Zone {
  id: string;
  area: string;
  parent: string | null;
  gridLevel: number;
  paused: boolean;
  lastPrice: number | null;
  lastSlot: number | null;
}
export interface PricePoint {
  slot: number;
  zone: string;
  price: number | null;
  volume: number;
  orders: number;
  trades: number;
}
export interface Seed {
  member: string;
  state: "AWAITED" | "REVEALED" | "WITHHELD";
}
export interface Slot {
  start: number;
  phase: SlotPhase;
  gate: number;
  zones: PricePoint[];
  seeds: Seed[];
  settled: number;
  residual: number;
  surplus: number;
  minted: number;
  retired: number;
  estimatedMeters: number;
  block: number;
}
export interface BookStep {
  price: number;
  quantity: number;
}
export interface Book {
  buys: BookStep[];
  sells: BookStep[];
  clearingPrice: number | null;
  block: number;
}
export interface Order {
  id: string;
  clientId: string;
  slot: number;
  meter: string;
  zone: string;
  side: Side;
  quantity: number;
  limit: number;
  state: OrderState;
  matched: number;
  settled: number;
  revision: number;
  leftOut: string | null;
  placed: number;
  block: number;
}
export interface Trade {
  id: string;
  slot: number;
  number: number;
  side: Side | null;
  buyer: string;
  seller: string;
  quantity: number;
  buyPrice: number;
  sellPrice: number;
  relation: string;
  settled: number | null;
  state: OrderState;
  block: number;
}
export interface Balance {
  owner: string;
  amount: string;
  available: string;
  reserved: string;
  /** What retailers have paid for the owner and not got back yet. */
  claims: string;
  minted: number;
  live: number;
  retired: number;
  block: number;
}
export type PostingKind = "ENERGY" | "RESIDUAL" | "SURPLUS" | "SPREAD" | "PENALTY" | "FEE" | "VAT" | "DEFAULT" | "REPAYMENT" | "CREDIT" | "DEBIT";
export type PostingRule = "PRICED" | "TAXED" | "CANCELLED" | "CARRIED" | "REPAID" | "CORRECTED" | "PAID";
/** What an amount is computed from; the rule says which of the numbers count. */
export interface PostingExplanation {
  kind: PostingKind;
  /** The name of the fee, where the kind is a fee or its VAT. */
  fee: string | null;
  rule: PostingRule;
  quantity: number;
  rate: number | null;
  taxRate: number | null;
  /** What the price of the trade has collected of the rate already; of a spread, the seller's price. */
  inPrice: number;
  /** The amount that is taxed, fixed, carried or paid, or that stood before a correction. */
  base: string;
  reference: string | null;
  retailer: string | null;
  cause: string;
}
export interface Posting {
  id: string;
  slot: number | null;
  account: string;
  amount: string;
  trade: number | null;
  explanation: PostingExplanation;
  section: string;
  block: number;
}
/** What a retailer has paid for a client and not got back yet. */
export interface Claim {
  id: string;
  retailer: string;
  client: string;
  amount: string;
  block: number;
}
export interface Certificate {
  id: string;
  slot: number;
  meter: string;
  owner: string;
  zone: string;
  source: string;
  minted: number;
  retired: number;
  block: number;
}
export interface Reading {
  slot: number;
  import: number | null;
  export: number | null;
  importRegister: number;
  exportRegister: number;
  quality: Quality;
  resolution: number;
  block: number;
}
export interface OracleNode {
  did: string;
  state: string;
  sentence: string;
  lastSlot: number | null;
  at: number | null;
}
export interface Client {
  did: string;
  retailer: string;
  locked: boolean;
  meters: Meter[];
  balance: Balance;
}
export interface TokenResult {
  code: string;
  sentence: string;
  remedy: string | null;
  orders: string[];
  transaction: string | null;
  block: number | null;
}
export interface Session {
  accessToken: string;
  refreshToken: string;
  expires: number;
  role: Role;
  did: string;
}
export interface Page<T> {
  nodes: T[];
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
  totalCount: number;
}
export interface Persona {
  name: string;
  role: Role;
  did: string;
  member: string | null;
  pkcs8: string;
}
