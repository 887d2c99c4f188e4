import { readFileSync } from 'node:fs';
import type { RunningTarget } from './targets/target.ts';
import { pathFor } from './targets/target.ts';
import { type Algorithm, type Credentials, cachedTokens } from './tokens.ts';

/**
 * Sends the requests that show whether a target does the work it is credited with. Returns what is wrong, one sentence
 * each; nothing wrong: an empty list.
 */
export async function findFalseClaims(
  running: RunningTarget,
  credentials: Readonly<Record<Algorithm, Credentials>>,
): Promise<string[]> {
  const problems: string[] = [];
  for (const algorithm of running.target.verifies) {
    problems.push(...(await checkAlgorithm(running, algorithm, credentials[algorithm])));
  }
  return problems;
}

async function checkAlgorithm(
  running: RunningTarget,
  algorithm: Algorithm,
  credentials: Credentials,
): Promise<string[]> {
  const { target } = running;
  const [token = '', other = ''] = readFileSync(credentials.poolFile, 'latin1').split('\n', cachedTokens);
  const problems: string[] = [];
  const expect = (holds: boolean, problem: string) => {
    if (!holds) problems.push(`${algorithm}: ${problem}`);
  };
  const ask = (bearer: string | undefined) => askEcho(running.port(algorithm), pathFor(algorithm, 'echo'), bearer);

  const good = await ask(token);
  expect(good.status === 200, `a good token was answered with ${good.status}`);
  expect(good.body.includes(`authorization=Bearer ${token}`), 'the token did not arrive upstream');
  expect(good.body.includes('x-request-source=check'), 'an ordinary header did not arrive upstream');
  if (target.subjectHeader !== undefined) {
    expect(good.body.includes(`${target.subjectHeader}=user-0\n`), 'the subject did not arrive upstream');
    expect(!good.body.includes('spoofed'), 'a spoofed identity header arrived upstream');
  }
  if (!target.guards) return problems;

  const [head, payload, signature = ''] = token.split('.');
  const flipped = signature[30] === 'A' ? 'B' : 'A';
  const forged = `${head}.${payload}.${signature.slice(0, 30)}${flipped}${signature.slice(31)}`;
  const swapped = `${head}.${other.split('.')[1]}.${signature}`;
  expect(isRefusal(await ask(forged)), 'a forged signature was let through');
  expect(isRefusal(await ask(swapped)), "another token's payload was let through");
  expect(isRefusal(await ask(undefined)), 'a request without a token was let through');
  if (target.checksExpiry) expect(isRefusal(await ask(credentials.expired)), 'an expired token was let through');
  return problems;
}

function isRefusal(answer: { status: number }): boolean {
  return answer.status === 401 || answer.status === 403;
}

async function askEcho(port: number, path: string, bearer: string | undefined) {
  const headers: Record<string, string> = { 'x-jwt-subject': 'spoofed', 'x-request-source': 'check' };
  if (bearer !== undefined) headers.authorization = `Bearer ${bearer}`;
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers, signal: AbortSignal.timeout(5_000) });
  return { status: response.status, body: await response.text() };
}
