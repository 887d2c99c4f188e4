import { describe, expect, test } from 'vitest';
import { type Manifest, problemsOf } from '../support/manifests.ts';

describe('what finds the mistakes in manifests', () => {
  const service: Manifest = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'x' },
    spec: { ports: [{ port: 80 }] },
  };

  test('takes what is good', async () => {
    expect(await problemsOf([service])).toEqual([]);
  });

  test.each([
    ['a value of the wrong type', { ...service, spec: { ports: [{ port: 'eighty' }] } }, 'port must be integer'],
    [
      'a field that there is not',
      { ...service, spec: { ports: [{ port: 80, tagetPort: 1 }] } },
      '"tagetPort"\' does not exist',
    ],
    ['a kind that there is not', { ...service, kind: 'Serviec' }, 'no such kind'],
  ])('finds %s', async (_what, manifest, problem) => {
    expect((await problemsOf([manifest])).join('\n')).toContain(problem);
  });
});
