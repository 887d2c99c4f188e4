import { resolve } from 'node:path';
import { defineConfig } from 'vitest/config';

/** Tests of dist/jwtgate as a user gets it: `npm run build` comes first. */
export default defineConfig({
  root: resolve(import.meta.dirname, '../..'),
  test: {
    include: ['test/packaged/**/*.test.ts'],
    pool: 'forks',
    reporters: ['default', './tools/skips-reporter.ts'],
    // As generous as the other tests' (../../vitest.config.ts).
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
});
