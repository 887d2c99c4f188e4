import { resolve } from 'node:path';
import { defineConfig } from 'vitest/config';

/** Tests of dist/jwtgate as a user gets it: `npm run build` comes first. */
export default defineConfig({
  root: resolve(import.meta.dirname, '../..'),
  test: {
    include: ['test/packaged/**/*.test.ts'],
    pool: 'forks',
    reporters: ['default', './tools/skips-reporter.ts'],
    testTimeout: 20_000,
    hookTimeout: 20_000,
  },
});
