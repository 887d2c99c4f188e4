import { resolve } from 'node:path';
import { defineConfig } from 'vitest/config';

/** Builds the image and runs it: `npm run test:image`. The first time takes minutes, and root. */
export default defineConfig({
  root: resolve(import.meta.dirname, '../..'),
  test: {
    include: ['test/image/**/*.test.ts'],
    reporters: ['default', './tools/skips-reporter.ts'],
    // Each of them builds the image; the others find it done.
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 1_800_000,
  },
});
