// Which pages a role has, in the order of its menu; the first is where it starts.

import type { ComponentType } from "preact";
import type { Role } from "./transport/types.ts";
import { GridMeters } from "./views/grid/meters.tsx";
import { GridSlots } from "./views/grid/slots.tsx";
import { Zones } from "./views/grid/zones.tsx";
import { Home } from "./views/household/now.tsx";
import { MeterPage } from "./views/household/meter.tsx";
import { Statements } from "./views/household/statements.tsx";
import { TradePage } from "./views/household/trade.tsx";
import { LedgerPage } from "./views/operator/ledger.tsx";
import { OracleNodes } from "./views/operator/nodes.tsx";
import { Findings } from "./views/regulator/findings.tsx";
import { Organisations } from "./views/regulator/organisations.tsx";
import { Trades } from "./views/regulator/trades.tsx";
import { Clients } from "./views/retailer/clients.tsx";
import { Exposure } from "./views/retailer/exposure.tsx";
import { Prices } from "./views/retailer/prices.tsx";

export interface PageOf {
  readonly path: string;
  readonly name: string;
  readonly view: ComponentType;
}

const page = (path: string, name: string, view: ComponentType): PageOf => ({ path, name, view });

export const PAGES: Readonly<Record<Role, readonly PageOf[]>> = {
  HOUSEHOLD: [
    page("now", "Home", Home),
    page("trade", "Trade", TradePage),
    page("statements", "Statements", Statements),
    page("meter", "Meter", MeterPage),
  ],
  RETAILER: [page("clients", "Clients", Clients), page("exposure", "Exposure", Exposure), page("prices", "Prices", Prices)],
  DSO: [page("zones", "Zones", Zones), page("meters", "Meters", GridMeters), page("slots", "Slots", GridSlots)],
  OPERATOR: [
    page("meters", "Meters", GridMeters),
    page("nodes", "Oracle nodes", OracleNodes),
    page("ledger", "Ledger", LedgerPage),
  ],
  REGULATOR: [
    page("slots", "Slots", GridSlots),
    page("trades", "Trades", Trades),
    page("findings", "Findings", Findings),
    page("organisations", "Organisations", Organisations),
  ],
};

export const ROLE_NAMES: Readonly<Record<Role, string>> = {
  HOUSEHOLD: "household",
  RETAILER: "retailer",
  DSO: "grid operator",
  OPERATOR: "oracle operator",
  REGULATOR: "regulator",
};
