import { expect, test } from 'vitest';
import { loadSound, problemsOf } from '../support/config-files.ts';

const env = { NAME: 'globex', EMPTY: '', DOLLARS: 'a$$b${tenant}${NAME}$', QUOTE: '"]}\n- x: {', NUMBER: '42' };
const strong = 'x'.repeat(32);

/** The issuer that a text becomes. */
async function filled(text: string): Promise<string | undefined> {
  const config = {
    upstream: 'http://127.0.0.1:3000',
    tenants: { acme: { secret: { env: 'SECRET' }, issuer: text } },
  };
  const { policy } = await loadSound(JSON.stringify(config), { ...env, SECRET: strong });
  return policy.tenants.get('acme')?.checks.issuers?.[0];
}

test.each([
  ['${NAME}', 'globex'],
  ['https://${NAME}.example/${NAME}', 'https://globex.example/globex'],
  ['${NONE:-fallback}', 'fallback'],
  ['x${NONE:-}', 'x'],
  ['${EMPTY:-fallback}', 'fallback'],
  ['x${EMPTY}', 'x'],
  ['${NAME:-fallback}', 'globex'],
  ['${NAME:?must be there}', 'globex'],
  ['${tenant}', 'acme'],
  ['${NAME}-${tenant}', 'globex-acme'],
  ['$$', '$'],
  ['$${NAME}', '${NAME}'],
  ['$${tenant}', '${tenant}'],
  ['$$$${tenant}', '$${tenant}'],
  ['costs $5', 'costs $5'],
  ['${NONE:-a:-b?}', 'a:-b?'],
])('%s becomes %s', async (text, expected) => {
  expect(await filled(text)).toBe(expected);
});

test('a variable is text, whatever stands in it: neither structure nor placeholder', async () => {
  expect(await filled('${QUOTE}')).toBe(env.QUOTE);
  expect(await filled('${DOLLARS}')).toBe(env.DOLLARS);
});

test('a number or boolean may come from a variable', async () => {
  const config =
    'upstream: {url: http://127.0.0.1, maxConnections: "${NUMBER}"}\nwatch: ${ON}\ntenants: {a: {secret: {env: SECRET}}}';
  const { policy, settings } = await loadSound(config, { ...env, ON: 'true', SECRET: strong });
  expect(policy.tenants.get('a')?.upstream.maxConnections).toBe(42);
  expect(settings.watch).toBe(true);
});

test.each([
  ['${NONE}', 'the environment variable NONE is not set'],
  ['${NONE:?ask the platform team}', 'NONE: ask the platform team'],
  ['${EMPTY:?}', 'EMPTY: must be set'],
  ['${Name}', 'is no placeholder'],
  ['${NAME-x}', 'is no placeholder'],
  ['${}', 'is no placeholder'],
  ['${NAME', '"${" is not closed'],
  ['${tenants}', '${tenants} is not filled here'],
  ['${claims.sub}', '${claims.sub} is not filled here'],
])('%s is a problem: %s', async (text, message) => {
  const config = JSON.stringify({
    upstream: 'http://a',
    tenants: { acme: { secret: { env: 'SECRET' }, issuer: text } },
  });
  expect(await problemsOf(config, { ...env, SECRET: strong })).toEqual([
    expect.stringMatching(
      new RegExp(`^1:\\d+ tenants\\.acme\\.issuer: ${message.replace(/[$\\^*+?.()|[\]{}]/g, '\\$&')}$`),
    ),
  ]);
});

test('what headers and error bodies leave for later is filled there, and a dollar stays one', async () => {
  const config = `
upstream: http://a
tenants:
  acme:
    secret: {env: SECRET}
    headers: {X-A: "\${NAME} \${tenant} $$ \${claims.sub}", X-B: "\${DOLLARS}"}
    errors: {default: {message: "$$5"}, body: {m: "\${message} $$ \${tenant} \${NAME}"}}
`;
  const { policy } = await loadSound(config, { ...env, SECRET: strong });
  const tenant = policy.tenants.get('acme');
  const texts = tenant?.identityHeaders.map(({ template }) =>
    template.parts.map((part) => (part.kind === 'text' ? part.text : '<value>')).join(''),
  );
  expect(texts).toEqual(['globex acme $ <value>', env.DOLLARS]);
  expect(JSON.parse(tenant?.errors.tokenMissing.body('r') ?? '')).toEqual({ m: '$5 $ acme globex' });
});
