import { expect, test } from 'vitest';
import { createProvisioning } from '../../src/gate/provision.ts';
import { compileJsonTemplate, type JsonTemplate } from '../../src/sign/json-template.ts';
import { createProvisions } from '../../src/state/provisions.ts';
import { compileTemplate, type Template } from '../../src/template/template.ts';

function provisioning(subject: string) {
  const calls: string[] = [];
  const keys: string[] = [];
  const own = createProvisions({ entries: 100, concurrent: 10, concurrentOfGroup: 10 });
  const { ensure } = createProvisioning(
    {
      endpoint: 'POST https://users.example',
      url: new URL('https://users.example'),
      method: 'POST',
      timeoutMs: 1_000,
      rememberMs: 60_000,
      subject: compileTemplate(subject) as Template,
      headers: [],
      body: compileJsonTemplate({ user: subject }) as JsonTemplate,
      signing: undefined,
    },
    {
      provisions: {
        ...own,
        ensure(key, ...rest) {
          keys.push(key);
          return own.ensure(key, ...rest);
        },
      },
      call: async ({ body }) => {
        calls.push(String(body));
        return { kind: 'answer', status: 201, retryAfter: undefined, text: '' };
      },
    },
  );
  const come = (claims: Record<string, unknown>, tenant = 'acme') =>
    ensure({ claims: claims as never, captures: new Map(), requestId: 'r', tenant } as never, 0);
  return { calls, keys, come };
}

test('two users whose names run together to the same text are provisioned each', async () => {
  const { calls, come } = provisioning('${claims.org}${claims.user}');
  await come({ org: 'ab', user: 'c' });
  await come({ org: 'a', user: 'bc' });
  await come({ org: 'a', user: 'bc' });
  expect(calls).toHaveLength(2);
});

test('a user who is a number is not one whose name is its digits', async () => {
  const { calls, come } = provisioning('${claims.sub}');
  await come({ sub: 5 });
  await come({ sub: '5' });
  await come({ sub: '{"a":1}' });
  await come({ sub: { a: 1 } });
  expect(calls).toEqual(['{"user":5}', '{"user":"5"}', '{"user":"{\\"a\\":1}"}', '{"user":{"a":1}}']);
});

test('a user of one tenant says nothing of the same one of another', async () => {
  const { calls, come } = provisioning('${claims.sub}');
  await come({ sub: 'joe' });
  await come({ sub: 'joe' }, 'globex');
  expect(calls).toHaveLength(2);
});

test('a name as long as a token takes no more memory than a short one', async () => {
  const { keys, come } = provisioning('${claims.sub}');
  await come({ sub: 'x'.repeat(6_000) });
  expect(keys[0]?.length).toBeLessThan(100);
});
