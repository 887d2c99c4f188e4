import type { Allowed } from '../../gate/decision.ts';
import type { Front } from '../../gate/fronts.ts';
import { isEachProxysOwn } from '../../gate/headers.ts';
import { headerValues, type RequestHead } from '../../gate/request-head.ts';

/** What a front is told of a request that may pass: which header it must then carry, and which not. */
export type Verdict =
  | { readonly kind: 'pass'; readonly headers: readonly string[] }
  /** The request may pass, but not as the client sent it, and this front can't change it so. */
  | { readonly kind: 'cannotPass'; readonly detail: string };

/**
 * Holds what may go upstream against what the front would send, which is what its client sent: all that differs must
 * be in the front's power. `verdictNames` (lower case) are what every front copies from the answer.
 */
export function tellVerdict(
  front: Front,
  head: RequestHead,
  allowed: Allowed,
  verdictNames: ReadonlySet<string>,
): Verdict {
  const obstacle = findTargetObstacle(head, allowed);
  if (obstacle !== undefined) return cannotPass(obstacle);

  const { headers } = allowed;
  const unwanted = new Set<string>();
  for (const lower of namesOf(head.headers)) {
    if (isEachProxysOwn(lower)) continue;
    const sent = headerValues(head, lower);
    const wanted = headerValues(allowed, lower);
    if (sent.length === wanted.length && sent.every((value, index) => value === wanted[index])) continue;
    if (verdictNames.has(lower)) continue;
    if (front.removal === 'overwrite' || wanted.length > 0) {
      return cannotPass(`the request carries ${lower}, which this front cannot be told to remove`);
    }
    unwanted.add(lower);
  }

  const list: string[] = [];
  const present = new Set<string>();
  for (let i = 0; i < headers.length; i += 2) {
    const lower = (headers[i] as string).toLowerCase();
    if (!verdictNames.has(lower)) continue;
    present.add(lower);
    list.push(headers[i] as string, headers[i + 1] as string);
  }
  if (front.empties === true) {
    for (const name of verdictNames) if (!present.has(name)) list.push(name, '');
  }
  if (front.removal !== 'overwrite') {
    // All of them: a front may not have shown us what its client sent.
    for (const name of verdictNames) if (!present.has(name)) unwanted.add(name);
    if (unwanted.size > 0) list.push(front.removal, [...unwanted].join(','));
  }
  return { kind: 'pass', headers: list };
}

function findTargetObstacle(head: RequestHead, { target, upstream, body }: Allowed): string | undefined {
  if (body !== undefined) return 'a rule read the body';
  const [path, query] = splitTarget(target.slice(upstream.basePath.length));
  const [sentPath, sentQuery] = splitTarget(head.target);
  if (path !== sentPath) return 'the path that was judged is the normalised one, and the front forwards another';
  if (query !== sentQuery) return 'a token would have to be taken out of the query, or put into it';
  return undefined;
}

function splitTarget(target: string): readonly [path: string, query: string | undefined] {
  const at = target.indexOf('?');
  return at < 0 ? [target, undefined] : [target.slice(0, at), target.slice(at + 1)];
}

function namesOf(headers: readonly string[]): Set<string> {
  const names = new Set<string>();
  for (let i = 0; i < headers.length; i += 2) names.add((headers[i] as string).toLowerCase());
  return names;
}

function cannotPass(detail: string): Verdict {
  return { kind: 'cannotPass', detail: `cannot be judged for a front: ${detail}` };
}
