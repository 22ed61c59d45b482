// Which pages a role has, in the order of its menu; the first is where it starts.

import type { ComponentType } from "preact";
import { Exposure } from "../features/accounts/exposure_page.tsx";
import { Statements } from "../features/accounts/statements_page.tsx";
import { Findings } from "../features/findings/findings_page.tsx";
import { Home } from "../features/home/household_home.tsx";
import { LedgerPage } from "../features/market/ledger_page.tsx";
import { Prices } from "../features/market/prices_page.tsx";
import { GridSlots } from "../features/market/slots_page.tsx";
import { Zones } from "../features/market/zones_page.tsx";
import { Clients } from "../features/members/clients_page.tsx";
import { Organisations } from "../features/members/organisations_page.tsx";
import { MeterPage } from "../features/metering/meter_page.tsx";
import { GridMeters } from "../features/metering/meters_page.tsx";
import { OracleNodes } from "../features/oracle_health/nodes_page.tsx";
import { TradePage } from "../features/orders/trade_page.tsx";
import { Trades } from "../features/trades/trades_page.tsx";
import type { Role } from "../transport/types.ts";

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
