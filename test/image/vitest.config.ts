import { resolve } from 'node:path';
import { defineConfig } from 'vitest/config';

/** Builds the image and runs it. Minutes, and root's tools: on demand, by `npm run test:image`. */
export default defineConfig({
  root: resolve(import.meta.dirname, '../..'),
  test: {
    include: ['test/image/**/*.test.ts'],
    reporters: ['default', './tools/skips-reporter.ts'],
    // Each of them builds the image; the second finds it done.
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 600_000,
  },
});
