import type { PlacedSigning } from '../config/compile-sending.ts';
import type { ConfigDeps } from '../config/deps.ts';
import type { LoadedConfig } from '../config/load.ts';
import type { Policy, Upstream } from '../gate/policy.ts';
import type { Issued, Signing } from '../gate/send.ts';
import { authority, upstreamAddress } from '../gate/upstream-address.ts';
import { createKeySources, type KeySourceLease } from '../keys/key-sources.ts';
import { countOf } from '../ops/count-of.ts';
import type { ReplayStores } from '../state/replay-stores.ts';
import { createRevocationLists, type RevocationEvent, type RevocationLease } from '../state/revocation-lists.ts';
import { tryRedis } from '../state/try-redis.ts';
import { type Trial, tryConnection, tryRequest } from '../wire/try-upstream.ts';

/** What became of one thing that was tried. No secret or token is in any text. */
export interface OnlineResult {
  readonly check: 'keys' | 'revoked' | 'replay' | 'connect' | 'sign' | 'probe';
  /** What was tried: an address, or a place in the config. */
  readonly subject: string;
  /** `skipped`: it can't be tried without a caller. */
  readonly outcome: 'ok' | 'failed' | 'skipped';
  readonly detail: string;
}

/** The test of every connection that a config names. */
export interface OnlineTest {
  /** To load the config with. */
  readonly deps: Pick<ConfigDeps, 'keySources' | 'revocations' | 'replays'>;
  /** Tries everything, and tells each result in the config's order. `timeoutMs` is for an upstream. */
  run(loaded: LoadedConfig, timeoutMs: number, tell: (result: OnlineResult) => void): Promise<void>;
  close(): void;
}

type Check = () => Promise<OnlineResult>;

/** Ten thousand tenants' upstreams are not all called at once. */
const triedAtOnce = 16;

/** Prepares the test; key sources begin to fetch when the config is loaded with its deps. */
export function createOnlineTest(env: NodeJS.ProcessEnv): OnlineTest {
  const keySources = createKeySources({ env });
  const leases = new Map<string, KeySourceLease>();
  const lists = createRemoteLists(env);
  const stores = createNamedStores();
  return {
    deps: {
      revocations: lists.all,
      replays: stores.all,
      keySources: {
        acquire(address, policy) {
          const lease = keySources.acquire(address, policy);
          leases.set(lease.id, lease);
          return lease;
        },
      },
    },
    async run({ policy, signings }, timeoutMs, tell) {
      const sent = signingChecks(policy, signings);
      const checks: Check[] = [
        ...[...leases.values()].map((lease) => () => checkKeys(lease)),
        ...lists.held().map((lease) => () => lists.check(lease)),
        ...stores.urls().map((url) => () => checkStore(url, timeoutMs)),
        ...distinctUpstreams(policy).map((upstream) => () => checkConnection(upstream, timeoutMs)),
        ...sent.checks,
        ...probesOf(policy).map((probe) => async () => checkProbe(probe, await sent.issued(probe.signing), timeoutMs)),
      ];
      for (let start = 0; start < checks.length; start += triedAtOnce) {
        const started = checks.slice(start, start + triedAtOnce).map((check) => check());
        for (const result of started) tell(await result);
      }
    },
    close() {
      keySources.close();
      lists.all.close();
    },
  };
}

/** The stores of used tokens that a config names: nothing is remembered in them here. */
function createNamedStores(): { readonly all: ReplayStores; readonly urls: () => readonly string[] } {
  const urls = new Set<string>();
  const nothing = { store: { use: unused, ask: unused }, release: () => {} };
  const all: ReplayStores = {
    holdMemory: () => nothing,
    holdRedis(url) {
      urls.add(url);
      return nothing;
    },
    status: () => ({ entries: 0, shared: [] }),
    close: () => {},
  };
  return { all, urls: () => [...urls] };
}

function unused(): never {
  throw new Error('no request is judged here');
}

async function checkStore(url: string, timeoutMs: number): Promise<OnlineResult> {
  const trial = await tryRedis(url, timeoutMs);
  return trial.kind === 'ok'
    ? { check: 'replay', subject: trial.store, outcome: 'ok', detail: 'answers' }
    : { check: 'replay', subject: trial.store, outcome: 'failed', detail: trial.detail };
}

/** Revocation lists, of which those at URLs can be waited for. */
function createRemoteLists(env: NodeJS.ProcessEnv) {
  const events: RevocationEvent[] = [];
  const waiting: (() => void)[] = [];
  const lists = createRevocationLists({
    env,
    onEvent(event) {
      events.push(event);
      for (const wake of waiting.splice(0)) wake();
    },
  });
  /** By what tells two lists apart, however many tenants share one. */
  const held = new Map<RevocationLease['status'], RevocationLease>();
  const holdUrl: typeof lists.holdUrl = (url, policy) => {
    const lease = lists.holdUrl(url, policy);
    held.set(lease.status, lease);
    return lease;
  };

  async function check({ status }: RevocationLease): Promise<OnlineResult> {
    while (!status().readyOnce && status().failures === 0) {
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
      });
    }
    const { url, readyOnce, entries, skipped } = status();
    const left =
      skipped === 0
        ? ''
        : `, and ${countOf(skipped, 'member')} that ${skipped === 1 ? 'is' : 'are'} no entry: see docs/revocation.md`;
    if (readyOnce) return { check: 'revoked', subject: url, outcome: 'ok', detail: `entries: ${entries}${left}` };
    const failure = events.find((event) => event.kind === 'listNotFetched' && event.url === url);
    const detail = failure?.kind === 'listNotFetched' ? failure.detail : 'could not be fetched';
    return { check: 'revoked', subject: url, outcome: 'failed', detail };
  }
  return { all: { ...lists, holdUrl }, held: () => [...held.values()], check };
}

async function checkKeys({ source, status }: KeySourceLease): Promise<OnlineResult> {
  await source.provider?.arriving();
  const { url, keys, skipped, lastError, state } = status();
  const result = (outcome: OnlineResult['outcome'], detail: string): OnlineResult => ({
    check: 'keys',
    subject: url,
    outcome,
    detail,
  });
  if (state !== 'fresh') return result('failed', lastError?.detail ?? 'no answer');
  const left = skipped.map(({ index, kid, detail }) => `${kid === undefined ? `the key at ${index}` : kid}: ${detail}`);
  const detail = [countOf(keys.length, 'key'), ...(left.length === 0 ? [] : [`skipped ${left.join('; ')}`])].join(', ');
  return result(keys.length === 0 ? 'failed' : 'ok', detail);
}

async function checkConnection(upstream: Upstream, timeoutMs: number): Promise<OnlineResult> {
  const trial = await tryConnection(upstream, timeoutMs);
  const subject = upstreamAddress(upstream);
  return trial.kind === 'unreachable'
    ? { check: 'connect', subject, outcome: 'failed', detail: trial.detail }
    : { check: 'connect', subject, outcome: 'ok', detail: 'connected' };
}

/** Signs, or gets an access token, once for each place, however many probes then use it. */
function signingChecks(policy: Policy, signings: readonly PlacedSigning[]) {
  const made = new Map<Signing, Promise<Issued>>();
  const users = new Map<Signing, string>();
  for (const { id, sending } of policy.tenants.values()) {
    if (sending.signing !== undefined && !users.has(sending.signing)) users.set(sending.signing, id);
  }
  const tenantOf = new Map(signings.map(({ signing, tenant }) => [signing, tenant]));

  /** Undefined where only a caller's claims could be signed, or nothing is. */
  const issued = (signing: Signing | undefined): Promise<Issued> | undefined => {
    if (signing === undefined || signing.readsClaims) return undefined;
    let issue = made.get(signing);
    if (issue === undefined) {
      const tenant = tenantOf.get(signing) ?? users.get(signing) ?? '';
      const values = { claims: {}, captures: new Map<string, string>(), requestId: 'validate-online', tenant };
      issue = Promise.resolve(signing.issue(values, Date.now()));
      made.set(signing, issue);
    }
    return issue;
  };

  const checks = signings.map(({ place, signing }) => async (): Promise<OnlineResult> => {
    const done = await issued(signing);
    const result = (outcome: OnlineResult['outcome'], detail: string): OnlineResult => ({
      check: 'sign',
      subject: place,
      outcome,
      detail,
    });
    if (done === undefined) return result('skipped', "the key is sound; what is signed needs a caller's claims");
    if (done.kind === 'failed') return result('failed', done.detail);
    return result('ok', done.rejected === undefined ? describeToken(done.token) : 'got an access token');
  });
  return { checks, issued };
}

/** Header members that are no secret, of a token that we made ourselves. */
function describeToken(token: string): string {
  const { alg, kid } = JSON.parse(Buffer.from(token.split('.', 1)[0] as string, 'base64url').toString('utf8'));
  return `signed with ${alg}${kid === undefined ? '' : `, kid ${JSON.stringify(kid)}`}`;
}

interface Probe {
  readonly upstream: Upstream & { readonly probe: string };
  readonly signing: Signing | undefined;
}

async function checkProbe({ upstream, signing }: Probe, issued: Issued | undefined, timeoutMs: number) {
  const path = `${upstream.basePath}${upstream.probe}`;
  const subject = `${upstreamAddress(upstream)}${path.split('?', 1)[0]}`;
  const result = (outcome: OnlineResult['outcome'], detail: string): OnlineResult => ({
    check: 'probe',
    subject,
    outcome,
    detail,
  });
  if (issued?.kind === 'failed') return result('failed', 'not called, for want of a token');
  const headers: Record<string, string> = {
    host: authority(upstream),
    'user-agent': 'jwtgate',
    ...(upstream.mediaType === undefined ? {} : { accept: upstream.mediaType }),
  };
  const target = issued === undefined ? path : withToken(path, headers, signing as Signing, issued.token);
  const trial = await tryRequest(upstream, target, headers, timeoutMs);
  return result(...judgeProbe(trial, issued !== undefined, signing !== undefined));
}

/** The token in its place: in `headers`, or in the path that is returned. */
function withToken(path: string, headers: Record<string, string>, { into, name, scheme }: Signing, token: string) {
  if (into.kind === 'query') {
    return `${path}${path.includes('?') ? '&' : '?'}${encodeURIComponent(name)}=${encodeURIComponent(token)}`;
  }
  headers[name] = scheme === undefined ? token : `${scheme} ${token}`;
  return path;
}

function judgeProbe(trial: Trial, withToken: boolean, signs: boolean): [OnlineResult['outcome'], string] {
  if (trial.kind !== 'answered') return ['failed', trial.kind === 'unreachable' ? trial.detail : 'no answer'];
  const { status } = trial;
  if (status >= 200 && status < 300) return ['ok', `status ${status}`];
  if (status !== 401 && status !== 403) return ['failed', `status ${status}`];
  if (withToken) return ['failed', `status ${status}: it refuses the token`];
  return signs
    ? ['skipped', `status ${status}: it wants a token, which needs a caller's claims`]
    : ['failed', `status ${status}: it wants credentials`];
}

function distinctUpstreams({ tenants }: Policy): Upstream[] {
  const byKey = new Map<string, Upstream>();
  for (const { upstream } of tenants.values()) if (!byKey.has(upstream.key)) byKey.set(upstream.key, upstream);
  return [...byKey.values()];
}

function probesOf({ tenants }: Policy): Probe[] {
  const probes: Probe[] = [];
  const seen = new Map<Upstream, Set<Signing | undefined>>();
  for (const { upstream, sending } of tenants.values()) {
    const { probe } = upstream;
    const { signing } = sending;
    const known = seen.get(upstream) ?? new Set();
    seen.set(upstream, known);
    if (probe === undefined || known.has(signing)) continue;
    known.add(signing);
    probes.push({ upstream: { ...upstream, probe }, signing });
  }
  return probes;
}
