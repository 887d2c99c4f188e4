import type { Problem } from '../../config/problem.ts';
import type { Explanation } from '../../explain/explanation.ts';
import type { RecordedRefusal, RefusalList } from '../../explain/refusals.ts';
import type { ReplayUse } from '../../gate/replay.ts';
import type { LogLevel } from '../../ops/log.ts';
import type { Measured } from '../../ops/measured.ts';
import type { Authorization } from '../../sign/grant.ts';
import type { SigningValues } from '../../sign/json-template.ts';
import type { PublishedKey } from '../../sign/signing-keys.ts';
import type { ProvisionResult } from '../../state/provisions.ts';
import type { Taken } from '../../state/rate-limit.ts';
import type { TenantPage, TenantQuery } from '../../status/tenant-facts.ts';
import type { TicketSecret } from '../../wire/tls/ticket-keys.ts';
import type { LogChoice } from '../log-choice.ts';
import type { ListenerName } from '../serving.ts';
import type { Answers, Channel } from './channel.ts';
import type { DealtCounts, DealtListeners } from './dealt-clients.ts';
import type { DocumentAnswer, DocumentAsk } from './shared-documents.ts';
import type { ConfigSnapshot } from './snapshot.ts';

/*
 * All that primary and workers say to each other. It goes over Node's IPC channel by structured clone: plain data, Maps
 * and bytes. Both ends are one program, so nothing of it is checked again.
 */

/** What a worker answers. */
export type ToWorker = {
  /** The first thing that it is told; it serves once it has said so. */
  start: { ask: StartOrder; answer: Loaded };
  /** Load this config and keep it at hand; nothing changes yet. */
  prepare: { ask: ConfigOrder; answer: Loaded };
  /** Serve what was prepared: whoever asks from now on is judged by it. False: that was another config. */
  commit: { ask: { readonly generation: number; readonly atMs: number }; answer: boolean };
  /** Let go of what was prepared. */
  abandon: { ask: undefined; answer: undefined };
  /** A client that connected to this listener; its socket comes along, unless it was given up. `id`: counts them. */
  client: { ask: { readonly listener: ListenerName; readonly id: number }; answer: undefined };
  /** This source says something else than before, or answers again: ask for it now, and not when it is time. */
  news: { ask: { readonly source: string }; answer: undefined };
  measure: { ask: undefined; answer: Measured };
  /** Required sources that were never fetched. */
  awaited: { ask: undefined; answer: readonly string[] };
  /** What the admin listener tells of. */
  refusals: { ask: undefined; answer: RefusalList };
  refusal: { ask: string; answer: RecordedRefusal | undefined };
  explain: { ask: string; answer: Explanation | { readonly problem: string } };
  tenants: { ask: TenantQuery; answer: TenantPage };
  logLevel: { ask: LogLevel; answer: undefined };
  /** What keys of TLS session tickets are made of from now on: the same everywhere, so that any worker resumes a session. */
  ticketSecret: { ask: TicketSecret; answer: undefined };
  /** Serve no longer than this. The answer comes when all is over, and the process ends with it. */
  drain: { ask: { readonly delayMs: number; readonly drainMs: number }; answer: Measured };
};

/** What the primary answers. */
export type ToPrimary = {
  load: { ask: DealtCounts; answer: undefined };
  /** A sign of life every few seconds; what was measured counts even if the worker is killed. */
  beat: { ask: Measured; answer: undefined };
  /** Take a token's one use, or only look. Undefined: nobody holds this tenant's memory any more. */
  replayUse: {
    ask: { readonly tenant: string; readonly id: string; readonly untilMs: number };
    answer: ReplayUse | undefined;
  };
  replayAsk: { ask: { readonly tenant: string; readonly id: string }; answer: ReplayUse | undefined };
  /** Take a share of an upstream's rate. */
  takeShare: { ask: { readonly key: string }; answer: Taken | undefined };
  /** May this user's requests go on? `call`: whoever asked is to call the endpoint, and to tell `provisioned`. */
  provision: {
    ask: { readonly key: string; readonly rememberMs: number };
    answer: ProvisionResult | { readonly kind: 'call' };
  };
  provisioned: { ask: { readonly key: string; readonly result: ProvisionResult }; answer: undefined };
  /** An access token of a grant; undefined: nobody holds that grant any more. */
  authorize: { ask: { readonly key: string; readonly values: SigningValues }; answer: Authorization | undefined };
  /** The API does not take this one. */
  invalidate: {
    ask: { readonly key: string; readonly values: SigningValues; readonly accessToken: string };
    answer: undefined;
  };
  /** A token of ours is about to leave: its key stays published until then. */
  signed: { ask: { readonly key: PublishedKey; readonly expiresAtMs: number }; answer: undefined };
  fetch: { ask: DocumentAsk; answer: DocumentAnswer };
};

export type WorkerAnswers = Answers<ToWorker>;
export type PrimaryAnswers = Answers<ToPrimary>;
export type ChannelToWorker = Channel<ToWorker>;
export type ChannelToPrimary = Channel<ToPrimary>;

export interface ConfigOrder {
  /** Absolute path of the main file, for what problems say of places. */
  readonly path: string;
  readonly generation: number;
  readonly snapshot: ConfigSnapshot;
}

export interface StartOrder {
  readonly config: ConfigOrder;
  /** Configs before it, oldest first, and when each went live: of those keys that still sign while new ones are made known. */
  readonly before: readonly { readonly config: ConfigOrder; readonly atMs: number }[];
  /** When `config` went live. */
  readonly atMs: number;
  readonly listeners: DealtListeners;
  /** 1 to `workers`. */
  readonly worker: number;
  readonly workers: number;
  readonly version: string;
  /** Variables that are read while serving: of proxies for calls of our own, and of tracing. */
  readonly env: Readonly<Record<string, string>>;
  readonly log: LogChoice;
  /** As a signal may have set it. */
  readonly logLevelNow: LogLevel;
}

/** What became of loading a config; `problems` empty: nothing kept it from being served. */
export interface Loaded {
  readonly problems: readonly Problem[];
}
