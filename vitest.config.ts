import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { include: ['test/**/*.test.ts'], exclude: ['test/packaged/**', 'test/image/**'], testTimeout: 15_000 },
});
