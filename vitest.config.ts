import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: 'all',
          include: ['test/**/*.test.ts'],
          // These need what is built first: `npm run test:packaged` and test/image have configs of their own.
          exclude: ['test/packaged/**', 'test/image/**'],
        },
      },
      // What holds on the fast lane has to hold on the node lane: the same tests again, through that alone.
      {
        extends: true,
        test: {
          name: 'node lane',
          include: ['test/wire/*.test.ts', 'test/wire/call/*.test.ts', 'test/security/*.test.ts'],
          env: { LANE: 'node' },
        },
      },
      // And what bears on messages has to hold over TLS, in both lanes.
      {
        extends: true,
        test: {
          name: 'over TLS',
          include: [
            'test/wire/{streaming,framing,timeouts,gate-answers}.test.ts',
            'test/wire/fast/lane-equality.test.ts',
            'test/security/request-smuggling.test.ts',
          ],
          env: { OVER: 'tls' },
        },
      },
      // And what one process does, two must do as one: spoofing, replay, revocation by reload, rules, WebSocket, HTTP/2, TLS, stop.
      {
        extends: true,
        test: {
          name: 'two workers',
          include: [
            'test/systems/{advocate,mytime,grpc,replay,route-keys,rules,long-connections}.test.ts',
            'test/server/{tls,stop}.test.ts',
            'test/security/unannounced-bodies.test.ts',
          ],
          env: { WORKERS: '2' },
        },
      },
    ],
    // Processes, not threads: tests send signals, change the environment and watch their own handles.
    pool: 'forks',
    reporters: ['default', './tools/skips-reporter.ts'],
    // Generous: what takes a second here may take ten on a machine that is busy with other work.
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
});
