// How the editor is built and tested. Everything is bundled: the built page asks no other host for anything.
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const server = process.env["HEDDLE_URL"] ?? "http://127.0.0.1:8188";

export default defineConfig({
  plugins: [react()],
  base: "./",
  build: { target: "es2023", sourcemap: false, modulePreload: { polyfill: false }, assetsInlineLimit: 0 },
  server: {
    proxy: {
      "/api": { target: server },
      "/ws": { target: server, ws: true },
    },
    fs: { allow: [".."] },
  },
});
