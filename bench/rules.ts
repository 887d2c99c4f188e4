// What a rule costs a request, and what the dearest one can:  node bench/rules.ts
import { compileRule, type Rule, type RuleInput } from '../src/gate/rule.ts';

const claims = {
  sub: 'joe',
  role: 'editor',
  email: 'joe@example.com',
  level: 5,
  scope: 'accounts:read accounts:write orders:read',
  groups: ['staff', 'billing', 'berlin'],
  orgs: ['a', 'b'],
  auth_time: 1_799_999_000,
};
const input: RuleInput = {
  token: { header: { alg: 'RS256', typ: 'at+jwt' }, claims, algorithm: 'RS256', kid: 'k1' },
  tenant: 'acme',
  head: { method: 'GET', scheme: 'https', headers: ['Host', 'gate.example', 'Accept', '*/*', 'X-Team', 'blue'] },
  request: { query: 'page=2&sort=name', captures: new Map([['org', 'a']]), host: 'gate.example' },
  segments: ['orgs', 'a', 'items'],
  nowMs: 1_800_000_000_000,
};

const typical = [
  'claims.role == "admin" || claims.level >= 3',
  '"accounts:read" in claims.scope.split(" ")',
  'claims.groups.exists(g, g in ["billing", "admins"])',
  'has(claims.email) && claims.email.endsWith("@example.com")',
  'claims.email.matches("^[a-z]+@example\\\\.com$")',
  'request.method in ["GET", "HEAD"] || claims.role == "admin"',
  'request.pathVariables.org in claims.orgs && request.headers["x-team"] == "blue"',
  'request.path.startsWith("/orgs/") && request.query.page != ""',
  'request.time - timestamp(claims.auth_time) < duration("1h")',
  'request.time.getHours("Europe/Berlin") < 24',
];

function ruleOf(text: string): Rule {
  const rule = compileRule(text);
  if ('problems' in rule) throw new Error(`${text}: ${rule.problems[0]?.message}`);
  return rule;
}

function microseconds(work: () => unknown, rounds: number): number {
  for (let warm = 0; warm < rounds / 4; warm++) work();
  const before = process.cpuUsage();
  for (let round = 0; round < rounds; round++) work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / rounds;
}

console.log('a typical rule, µs of CPU');
for (const text of typical) {
  const rule = ruleOf(text);
  if (rule.refusal(input) !== undefined) throw new Error(text);
  console.log(
    `  ${microseconds(() => rule.refusal(input), 100_000)
      .toFixed(2)
      .padStart(6)}  ${text}`,
  );
}
console.log(
  `  ${microseconds(() => compileRule(typical[2] as string), 5000)
    .toFixed(0)
    .padStart(6)}  to compile one, at load`,
);

const long = Array.from({ length: 4000 }, () => 1);
const map = Object.fromEntries(long.map((_, index) => [`k${index}`, index]));
const text = 'a'.repeat(16_000);
const dear = { ...input, token: { ...input.token, claims: { long, map, text, part: `${'a'.repeat(60)}b` } } };
const dearest = [
  'claims.long.all(x, claims.long.all(y, y == 1))',
  'claims.long.exists(x, 2 in claims.long)',
  'claims.long.map(x, claims.long.map(y, y)) == []',
  'claims.long.all(x, claims.long + claims.long != [])',
  'claims.long.exists(x, claims.text.matches("b|(a?){30}b"))',
  'claims.long.exists(x, claims.text.contains(claims.part))',
  'claims.long.all(x, size(claims.text) > 0)',
  'claims.long.all(x, size(claims.map) > 0)',
  'claims.long.all(x, claims.map.exists(name, true))',
  'claims.long.all(x, claims.map == claims.map)',
  'claims.long.all(x, {"a": claims.map} == {"a": claims.long.map(y, y)} || true)',
  'claims.long.all(x, claims.text.split("") != [])',
  'claims.long.all(x, timestamp(x).getHours("Europe/Berlin") >= 0)',
  'claims.long.all(x, duration(string(x) + "h1m1s1ms1us1ns") > duration("1s"))',
];
console.log('a rule that is stopped for its steps, ms of CPU');
for (const one of dearest) {
  const rule = ruleOf(one);
  const ms = microseconds(() => rule.refusal(dear), 20) / 1000;
  const stopped = rule.refusal(dear)?.includes('too many steps') === true;
  console.log(`  ${ms.toFixed(2).padStart(6)}  ${one}${stopped ? '' : '  (not stopped)'}`);
}
