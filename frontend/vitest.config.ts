// Unit tests: graph/ and the pure parts of canvas/, protocol/ and store/ run without a DOM.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { include: ["tests/**/*.test.ts", "tests/**/*.test.tsx"], environment: "node", testTimeout: 60_000 },
});
