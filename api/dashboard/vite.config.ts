import { defineConfig } from "vite";

// The pages are served under a policy that forbids inline scripts and styles and everything that
// is not of the same origin; so nothing is inlined and no polyfill is injected.
export default defineConfig({
  base: "/",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    target: "es2022",
    outDir: "dist",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    cssCodeSplit: false,
    sourcemap: false,
  },
  server: {
    proxy: {
      "/graphql": { target: "http://127.0.0.1:8080", ws: true },
      "/regulator": "http://127.0.0.1:8080",
      "/demonstration": "http://127.0.0.1:8080",
    },
  },
});
