import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Decision } from '../../src/gate/decision.ts';
import { accessLine } from '../../src/ops/access-log.ts';
import { compileAccessView } from '../../src/ops/access-view.ts';
import { renderMetrics } from '../../src/ops/metrics.ts';
import { metricSources } from '../support/measured.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/operations.md'), 'utf8');

test('docs/operations.md lists every metric, and no other', () => {
  const workers = { wanted: 2, serving: [], losses: {} };
  const exported = [...renderMetrics(metricSources({ workers })).matchAll(/^# TYPE (\S+)/gm)]
    .map((match) => match[1])
    .sort();
  const table = page.slice(page.indexOf('## Metrics'), page.indexOf('Worth an alert'));
  const listed = [...table.matchAll(/`((?:jwtgate|process|nodejs)_\w+)`/g)].map((match) => match[1]).sort();
  expect(listed).toEqual(exported);
});

test('docs/operations.md lists every key of the access log, and no other', () => {
  const facts = {
    tenant: 't',
    path: '/',
    algorithm: 'a',
    kid: 'k',
    issuer: 'i',
    tokenSource: 's',
    subject: 'u',
    claims: { email: 'e' },
    cached: true,
    wouldRefuse: 'tokenMissing',
    wouldRefuseDetail: 'd',
  };
  const line = accessLine(
    {
      head: {
        id: 'r',
        method: 'GET',
        target: '/',
        httpVersion: '1.1',
        headers: ['Host', 'h', 'User-Agent', 'u', 'Referer', 'r'],
        scheme: 'http',
        peer: '',
      },
      decision: { kind: 'allowed', facts } as unknown as Decision, // what a line reads of it
      lane: 'node',
      status: 200,
      requestBytes: 0,
      responseBytes: 0,
      durationMs: 0,
      upstreamMs: 0,
      end: 'complete',
    },
    '10.0.0.1',
    'json',
    0,
    compileAccessView({ fields: { host: 'keep', user_agent: 'keep', referer: 'keep', sub: 'keep' } }),
    'trace',
  );
  const table = page.slice(page.indexOf('| key |'), page.indexOf('## Metrics'));
  const listed = [...table.matchAll(/^\| (`.*?) \|/gm)].flatMap((row) =>
    [...(row[1] as string).matchAll(/`(\w+)`/g)].map((match) => match[1]),
  );
  expect([...listed, 'msg'].sort()).toEqual(Object.keys(JSON.parse(line)).sort());
});
