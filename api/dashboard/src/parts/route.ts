// The address of a page: `#/trade?side=buy`. The server never sees the part after the hash.

import { useEffect, useState } from "preact/hooks";

export interface Route {
  readonly page: string;
  readonly query: URLSearchParams;
}

function read(): Route {
  const [page = "", query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return { page, query: new URLSearchParams(query) };
}

export function useRoute(): Route {
  const [route, setRoute] = useState(read);
  useEffect(() => {
    const listener = () => setRoute(read());
    window.addEventListener("hashchange", listener);
    return () => window.removeEventListener("hashchange", listener);
  }, []);
  return route;
}

export function go(page: string): void {
  location.hash = `#/${page}`;
}
