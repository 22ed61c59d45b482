import { defineConfig } from "vite";

// The server forbids inline scripts and styles and everything from another origin, so the build
// inlines nothing and adds no polyfill.
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
