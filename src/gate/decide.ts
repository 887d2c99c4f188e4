import { type Case, type Circumstances, findCase } from './case.ts';
import { type Cors, isPreflight } from './cors.ts';
import type { Allowed, Answered, Decision, DecisionFacts, Refused } from './decision.ts';
import { type Denial, deny, distrusts } from './denial.ts';
import { upstreamHeaders } from './headers.ts';
import { filledLocations, type Identified, type Judgement, judge } from './judge.ts';
import { parseTarget } from './path.ts';
import type { Policy } from './policy.ts';
import { withoutQueryParameters } from './query.ts';
import { type ErrorFormat, refuse } from './refuse.ts';
import type { RequestHead } from './request-head.ts';

export type { Circumstances } from './case.ts';

/**
 * Judges one request: target → tenant and route → token → signature → claims, bindings → header list. Synchronous
 * when the signature's verdict is cached or quick to have, else a promise; it never throws and never rejects.
 */
export function decide(head: RequestHead, circumstances: Circumstances): Decision | Promise<Decision> {
  const { policy } = circumstances;
  const target = parseTarget(head.target);
  if (target.kind === 'problem') return refuseUnrecognised(policy, head, deny('requestRefused', target.detail));
  const found = findCase(head, target, circumstances);
  if (isPreflight(head)) {
    const answered = decidePreflight(policy, head, found);
    if (answered !== undefined) return answered;
  }
  if (found.kind === 'denial') return refuseUnrecognised(policy, head, found);
  const judged = judge(found);
  return judged instanceof Promise ? judged.then((late) => conclude(found, late)) : conclude(found, judged);
}

/** A browser sends no token with a preflight: where `cors` is configured it is answered here, or passed on. */
function decidePreflight(policy: Policy, head: RequestHead, found: Case | Denial): Decision | undefined {
  if (found.kind === 'denial') {
    const missing = found.reason === 'tokenMissing';
    return missing && policy.cors?.preflight === 'answer' ? answerPreflight(policy.cors, head, undefined) : undefined;
  }
  const { tenant, target, normalizePath } = found;
  if (tenant.cors === undefined || (target.oddity !== undefined && !normalizePath)) return undefined;
  const facts: DecisionFacts = { tenant: tenant.id, path: target.rawPath };
  return tenant.cors.preflight === 'answer'
    ? answerPreflight(tenant.cors, head, facts)
    : allow(found, facts, { stripped: filledLocations(found), identity: [], body: undefined });
}

function answerPreflight(cors: Cors, head: RequestHead, facts: DecisionFacts | undefined): Answered {
  return {
    kind: 'answered',
    status: 204,
    headers: [...cors.answer(head), 'X-Request-Id', head.id],
    body: '',
    close: false,
    facts: facts ?? { tenant: undefined, path: pathOf(head.target) },
  };
}

function conclude(found: Case, { outcome, facts }: Judgement): Decision {
  const { tenant, target, head } = found;
  const allFacts: DecisionFacts = { tenant: tenant.id, path: target.rawPath, ...facts };
  switch (outcome.kind) {
    case 'identified':
      return allow(found, allFacts, outcome);
    case 'anonymous':
      return allow(found, allFacts, { stripped: outcome.stripped, identity: [], body: undefined });
    case 'denial': {
      if (tenant.mode === 'enforce') return refuseFor(tenant, tenant.cors, head, allFacts, outcome);
      // As if the gate were not there, but for the names that only it may write.
      const would = { wouldRefuse: outcome.reason, wouldRefuseDetail: outcome.detail };
      return allow(found, { ...allFacts, ...would }, { stripped: [], identity: [], body: undefined });
    }
  }
}

function allow(
  { circumstances, head, target, tenant, normalizePath }: Case,
  facts: DecisionFacts,
  { stripped, identity, body }: Pick<Identified, 'stripped' | 'identity' | 'body'>,
): Allowed {
  const { policy } = circumstances;
  const { upstream, cors } = tenant;
  const path = normalizePath ? target.normalizedPath : target.rawPath;
  const queryNames = stripped.flatMap(({ kind, name }) => (kind === 'query' ? [name] : []));
  const query = withoutQueryParameters(target.query, queryNames);
  const headers = upstreamHeaders(head, {
    reservedNames: policy.reservedNames,
    judgedNames: policy.judgedNames,
    fromTrustedProxy: policy.isTrustedProxy(head.peer),
    upstream,
    stripped,
    identity,
  });
  const permit = {
    kind: 'allowed',
    tenant,
    upstream,
    target: `${upstream.basePath}${path}${query === undefined ? '' : `?${query}`}`,
    headers,
    body,
    responseHeaders: cors?.preflight === 'answer' ? cors.expose(head) : noHeaders,
    facts,
  };
  return permit as unknown as Allowed; // the brand exists in the type alone
}

const noHeaders: readonly string[] = [];

function refuseUnrecognised(policy: Policy, head: RequestHead, denial: Denial): Refused {
  return refuseFor(policy, policy.cors, head, { tenant: undefined, path: pathOf(head.target) }, denial);
}

/** A page may read why it was refused: the answer carries the CORS headers that its origin needs. */
function refuseFor(
  { errors }: { readonly errors: ErrorFormat },
  cors: Cors | undefined,
  head: RequestHead,
  facts: DecisionFacts,
  { reason, detail, status, retryAfterS }: Denial,
): Refused {
  const close = distrusts(reason);
  const refused = refuse(errors, reason, { requestId: head.id, facts, detail, status, retryAfterS, close });
  return cors === undefined ? refused : { ...refused, headers: [...refused.headers, ...cors.expose(head)] };
}

function pathOf(target: string): string {
  return target.split('?', 1)[0] as string;
}
