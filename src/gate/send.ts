import type { RateLimit, Taken } from '../state/rate-limit.ts';
import type { TemplateValues } from '../template/template.ts';
import { type Denial, deny } from './denial.ts';
import type { TokenLocation } from './locate.ts';
import type { Rehearsal } from './rehearsal.ts';

/** What placeholders of a tenant's outgoing tokens and provisioning calls are filled from. */
export type SendValues = TemplateValues & { readonly tenant: string };

/** Gives a request the token that the upstream asks for: one of our own signing, or one that such a token was traded for. */
export interface Signing {
  /** True where its payload names claims: a request without a verified token then gets none. */
  readonly readsClaims: boolean;
  /** Where it goes: what a client sent there is removed. */
  readonly into: TokenLocation;
  /** Header or parameter name in the spelling that is sent. */
  readonly name: string;
  /** The scheme in the spelling that is sent; undefined: the bare token. */
  readonly scheme: string | undefined;
  /** At once, unless the key is slow or an endpoint must be asked; never rejects. */
  issue(values: SendValues, nowMs: number): Issued | Promise<Issued>;
}

export type Issued =
  | {
      readonly kind: 'issued';
      readonly token: string;
      /** To be called when the upstream answers 401 to it. */
      readonly rejected?: (() => void) | undefined;
    }
  | { readonly kind: 'failed'; readonly detail: string; readonly retryAfterS?: number | undefined };

/** Makes a user known to the upstream's own directory before the first of its requests goes on. */
export interface Provisioning {
  /** Undefined where nothing is left to do; never rejects. */
  ensure(values: SendValues, nowMs: number): Promise<ProvisionOutcome> | undefined;
}

export type ProvisionOutcome = { readonly kind: 'done' } | { readonly kind: 'failed'; readonly detail: string };

/** What a tenant asks for between the verdict and the upstream. */
export interface Sending {
  /** Shared by all tenants of one upstream. */
  readonly rate: RateLimit | undefined;
  readonly provisioning: Provisioning | undefined;
  readonly signing: Signing | undefined;
}

/** For the many tenants that ask for nothing. */
export const sendAsIs: Sending = { rate: undefined, provisioning: undefined, signing: undefined };

/** A request on its way: by whom, and for which values. */
export interface Departure {
  readonly values: SendValues;
  /** Undefined: nobody said who it is; `basic`: the tenant's own server. */
  readonly identifiedBy: 'token' | 'basic' | undefined;
  readonly nowMs: number;
  readonly rehearsal?: Rehearsal | undefined;
}

export interface Ready {
  readonly kind: 'ready';
  readonly issued: (Issued & { readonly kind: 'issued' }) | undefined;
}

const readyAsIs: Ready = { kind: 'ready', issued: undefined };

/**
 * The last steps before the upstream: its rate (requestRefused with 429; stateUnavailable), the user's provisioning (provisionFailed),
 * the token it asks for (upstreamUnreachable with 503 where none can be had). A promise only where one of them waits.
 */
export function prepare(sending: Sending, departure: Departure): Ready | Denial | Promise<Ready | Denial> {
  const { rate } = sending;
  const { nowMs, rehearsal } = departure;
  if (rehearsal !== undefined) return rehearse(sending, departure, rehearsal);
  const share = rate?.take(nowMs) ?? admitted;
  return share instanceof Promise
    ? share.then((taken) => prepareWith(taken, sending, departure))
    : prepareWith(share, sending, departure);
}

const admitted: Taken = { kind: 'admitted' };

function prepareWith(
  share: Taken,
  { provisioning, signing }: Sending,
  departure: Departure,
): Ready | Denial | Promise<Ready | Denial> {
  const { values, identifiedBy, nowMs } = departure;
  if (share.kind !== 'admitted') return denyShare(share);
  const provisioned = identifiedBy === 'token' ? provisioning?.ensure(values, nowMs) : undefined;
  if (provisioned === undefined) return issue(signing, departure);
  return provisioned.then((outcome) =>
    outcome.kind === 'failed' ? deny('provisionFailed', outcome.detail) : issue(signing, departure),
  );
}

function denyShare(share: Exclude<Taken, { kind: 'admitted' }>): Denial {
  const { retryAfterS } = share;
  return share.kind === 'refused'
    ? deny('requestRefused', "the upstream's rate is used up", { status: 429, retryAfterS })
    : deny('stateUnavailable', share.detail, { retryAfterS });
}

/** Stands where a token of ours would. */
export const notIssued = '[issued on the way]';

/** Names the steps, and takes none of them, but a share of a rate that is its own. */
function rehearse(
  sending: Sending,
  departure: Departure,
  rehearsal: Rehearsal,
): Ready | Denial | Promise<Ready | Denial> {
  const { rate } = sending;
  if (rate === undefined) return rehearseRest(sending, departure, rehearsal);
  rehearsal.at('rate');
  const share = rehearsal.rate === 'take' ? rate.take(departure.nowMs) : admitted;
  const conclude = (taken: Taken) =>
    taken.kind === 'admitted' ? rehearseRest(sending, departure, rehearsal) : denyShare(taken);
  return share instanceof Promise ? share.then(conclude) : conclude(share);
}

function rehearseRest({ provisioning, signing }: Sending, { identifiedBy }: Departure, rehearsal: Rehearsal): Ready {
  if (provisioning !== undefined && identifiedBy === 'token') rehearsal.at('provision');
  if (!issues(signing, identifiedBy)) return readyAsIs;
  rehearsal.at('sign');
  return { kind: 'ready', issued: { kind: 'issued', token: notIssued } };
}

/** Where its payload names claims, a request without a verified token gets none. */
function issues(signing: Signing | undefined, identifiedBy: Departure['identifiedBy']): signing is Signing {
  return signing !== undefined && (!signing.readsClaims || identifiedBy === 'token');
}

function issue(
  signing: Signing | undefined,
  { values, identifiedBy, nowMs }: Departure,
): Ready | Denial | Promise<Ready | Denial> {
  if (!issues(signing, identifiedBy)) return readyAsIs;
  const issued = signing.issue(values, nowMs);
  return issued instanceof Promise ? issued.then(readyWith) : readyWith(issued);
}

function readyWith(issued: Issued): Ready | Denial {
  if (issued.kind === 'issued') return { kind: 'ready', issued };
  const { detail, retryAfterS } = issued;
  return deny('upstreamUnreachable', `no token for the upstream: ${detail}`, { status: 503, retryAfterS });
}
