import { type Case, type Circumstances, findCase, forPreflight } from './case.ts';
import { type Cors, isPreflight } from './cors.ts';
import type { Allowed, Answered, Decision, DecisionFacts, Refused } from './decision.ts';
import { type Denial, deny, distrusts } from './denial.ts';
import { upstreamHeaders } from './headers.ts';
import { type Identified, type Judgement, judge } from './judge.ts';
import type { TokenLocation } from './locate.ts';
import { parseTarget, type Target } from './path.ts';
import type { Policy } from './policy.ts';
import { withoutQueryParameters } from './query.ts';
import { type ErrorFormat, refuse } from './refuse.ts';
import type { RequestHead } from './request-head.ts';
import { prepare, type Ready, type Sending, type Signing, sendAsIs } from './send.ts';
import { filledLocations } from './unjudged.ts';

export type { Circumstances } from './case.ts';

/**
 * Judges one request: target → tenant and route → token → signature → claims, bindings → header list. Synchronous
 * when the signature's verdict is cached or quick to have, else a promise; it never throws and never rejects.
 */
export function decide(head: RequestHead, circumstances: Circumstances): Decision | Promise<Decision> {
  const { policy, rehearsal } = circumstances;
  rehearsal?.at('request');
  const target = parseTarget(head.target);
  if (target.kind === 'problem') return refuseUnrecognised(policy, head, deny('requestRefused', target.detail));
  const found = findCase(head, target, circumstances);
  if (isPreflight(head)) {
    const answered = decidePreflight(policy, head, found);
    if (answered !== undefined) return answered;
  }
  if (found.kind === 'denial') return dismiss(head, target, circumstances, found);
  const judged = judge(found);
  return judged instanceof Promise ? judged.then((late) => conclude(found, late)) : conclude(found, judged);
}

/** What goes upstream of a request beside what it brought itself. */
type Cargo = Pick<Identified, 'stripped' | 'identity' | 'body'> & Partial<Pick<Identified, 'token'>>;

/** A browser sends no token with a preflight: where `cors` is configured it is answered here, or passed on. */
function decidePreflight(
  policy: Policy,
  head: RequestHead,
  found: Case | Denial,
): Decision | Promise<Decision> | undefined {
  if (found.kind === 'denial') {
    const missing = found.reason === 'tokenMissing';
    return missing && policy.cors?.preflight === 'answer' ? answerPreflight(policy.cors, head, undefined) : undefined;
  }
  const { tenant, target, circumstances } = found;
  const asked = forPreflight(found);
  if (asked.cors === undefined || (target.oddity !== undefined && !asked.normalizePath)) return undefined;
  circumstances.rehearsal?.at('preflight', asked.route === undefined ? {} : { route: asked.route });
  const facts: DecisionFacts = { tenant: tenant.id, path: target.rawPath };
  if (asked.cors.preflight === 'answer') return answerPreflight(asked.cors, head, facts);
  const cargo: Cargo = { stripped: filledLocations(found), identity: [], body: undefined };
  return send({ ...found, ...asked }, facts, cargo, undefined, rateAlone(tenant.sending));
}

/** What anybody may send unasked counts as any request does, but brings no token of ours. */
function rateAlone({ rate }: Sending): Sending {
  return rate === undefined ? sendAsIs : { rate, provisioning: undefined, signing: undefined };
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

function conclude(found: Case, { outcome, facts }: Judgement): Decision | Promise<Decision> {
  switch (outcome.kind) {
    case 'identified':
      return send(found, facts, outcome, outcome);
    case 'anonymous':
      return send(found, facts, { stripped: outcome.stripped, identity: [], body: undefined }, undefined);
    case 'denial':
      return refuseOrReport(found, facts, outcome);
  }
}

/** With `mode: report` as if the gate were not there, but for the names that only it may write. */
function refuseOrReport(found: Case, facts: DecisionFacts, denial: Denial): Decision {
  const { tenant, head } = found;
  if (tenant.mode === 'enforce') return refuseFor(tenant, found.cors, head, facts, denial);
  return allow(found, reported(facts, denial), { stripped: [], identity: [], body: undefined });
}

function reported(facts: DecisionFacts, { reason, detail }: Denial): DecisionFacts {
  return { ...facts, wouldRefuse: reason, wouldRefuseDetail: detail };
}

/** What becomes of a request of no tenant. */
function dismiss(head: RequestHead, target: Target, circumstances: Circumstances, denial: Denial): Decision {
  const { policy } = circumstances;
  if (policy.unrecognised === undefined) return refuseUnrecognised(policy, head, denial);
  const { tenant, stripped } = policy.unrecognised;
  const facts: DecisionFacts = { tenant: undefined, path: target.rawPath };
  const nobodys = { circumstances, head, target, tenant, normalizePath: false, cors: policy.cors };
  return allow(nobodys, reported(facts, denial), { stripped, identity: [], body: undefined });
}

/** Rate, provisioning and the upstream's own token, for the tenants that have them. */
function send(
  found: Case,
  facts: DecisionFacts,
  cargo: Cargo,
  identified: Identified | undefined,
  sending: Sending = found.tenant.sending,
): Decision | Promise<Decision> {
  const { tenant, head, request, circumstances } = found;
  if (sending === sendAsIs) return allow(found, facts, cargo);
  const { captures } = request;
  const values = {
    claims: identified?.claims ?? {},
    captures,
    requestId: head.id,
    client: head.clientCertificate,
    tenant: tenant.id,
  };
  const depart = (ready: Ready | Denial): Decision =>
    ready.kind === 'denial' ? refuseOrReport(found, facts, ready) : allow(found, facts, cargo, ready.issued);
  const { nowMs, rehearsal } = circumstances;
  const ready = prepare(sending, { values, identifiedBy: identified?.by, nowMs, rehearsal });
  return ready instanceof Promise ? ready.then(depart) : depart(ready);
}

/** What of a case bears on what goes upstream. */
type Forwardable = Pick<Case, 'circumstances' | 'head' | 'target' | 'tenant' | 'normalizePath' | 'cors'>;

function allow(
  { circumstances, head, target, tenant, normalizePath, cors }: Forwardable,
  facts: DecisionFacts,
  { stripped, identity, body, token }: Cargo,
  issued?: Ready['issued'],
): Allowed {
  const { policy } = circumstances;
  const { upstream, sending } = tenant;
  const path = normalizePath ? target.normalizedPath : target.rawPath;
  // Also where nobody was named, so that there is no token: then the upstream must not take the client's word for ours.
  const replaced = sending.signing?.into;
  const gone = replaced === undefined ? stripped : [...stripped, replaced];
  const query = joinQuery(withoutQueryLocations(target.query, gone), queryToken(sending.signing, issued));
  const headers = upstreamHeaders(head, {
    reservedNames: policy.reservedNames,
    judgedNames: policy.judgedNames,
    fromTrustedProxy: policy.isTrustedProxy(head.peer),
    upstream,
    stripped: gone,
    traceContext: circumstances.traceContext,
    identity: issued === undefined ? identity : [...identity, ...headerToken(sending.signing, issued)],
  });
  const permit = {
    kind: 'allowed',
    tenant,
    upstream,
    token,
    target: `${upstream.basePath}${path}${query === undefined ? '' : `?${query}`}`,
    headers,
    body,
    responseHeaders: cors?.preflight === 'answer' ? cors.expose(head) : noHeaders,
    tokenRejected: issued?.rejected,
    facts,
  };
  return permit as unknown as Allowed; // the brand exists in the type alone
}

function withoutQueryLocations(query: string | undefined, gone: readonly TokenLocation[]): string | undefined {
  if (query === undefined || gone.length === 0) return query;
  return withoutQueryParameters(
    query,
    gone.flatMap(({ kind, name }) => (kind === 'query' ? [name] : [])),
  );
}

function headerToken(signing: Signing | undefined, issued: NonNullable<Ready['issued']>): readonly string[] {
  if (signing === undefined || signing.into.kind !== 'header') return noHeaders;
  const { name, scheme } = signing;
  return [name, scheme === undefined ? issued.token : `${scheme} ${issued.token}`];
}

function queryToken(signing: Signing | undefined, issued: Ready['issued']): string | undefined {
  if (issued === undefined || signing?.into.kind !== 'query') return undefined;
  return `${encodeURIComponent(signing.name)}=${encodeURIComponent(issued.token)}`;
}

function joinQuery(query: string | undefined, added: string | undefined): string | undefined {
  if (added === undefined) return query;
  return query === undefined || query === '' ? added : `${query}&${added}`;
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
