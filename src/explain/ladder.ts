import type { ConfigPath } from '../config/config-path.ts';
import type { Reason } from '../gate/reasons.ts';
import type { Step } from '../gate/rehearsal.ts';
import { redactTokens } from '../ops/printable.ts';
import { configBehind } from './config-behind.ts';
import { describePassed } from './describe-step.ts';
import { type Facts, gatherFacts, joinedSteps, type KeysAtHand } from './facts.ts';
import { findHint } from './hint.ts';
import type { Rehearsed } from './rehearse.ts';

export interface LadderStep {
  /** `upstream`: what came of it after the decision; `outcome`: the request itself came out otherwise. */
  readonly step: Step | 'upstream' | 'outcome';
  readonly outcome: 'passed' | 'failed' | 'skipped';
  readonly detail: string;
  /** Of these places the first that the config has; empty where no config has a say. */
  readonly config: readonly ConfigPath[];
}

/** What became of a request, step by step. Holds no token, and of its claims only what a step has to name. */
export interface Ladder {
  /** `reported`: it would have been refused, and goes on by `mode: report`. */
  readonly verdict: 'allowed' | 'refused' | 'reported' | 'answered';
  readonly reason: Reason | undefined;
  readonly status: number | undefined;
  readonly tenant: string | undefined;
  readonly steps: readonly LadderStep[];
  /** What to do about the step that failed. */
  readonly hint: string | undefined;
}

/** What became of a request itself, beside which its rehearsal is held. */
export interface RealOutcome {
  readonly verdict: 'refused' | 'reported';
  readonly reason: Reason;
  readonly detail: string;
  readonly status: number;
}

/**
 * Makes the ladder of a rehearsed decision. Where there was a request in earnest, what became of it counts: a rehearsal
 * can't know of a use, a rate, a call or the upstream.
 */
export function makeLadder(rehearsed: Rehearsed, keys: KeysAtHand, real?: RealOutcome): Ladder {
  const facts = gatherFacts(rehearsed, keys);
  const { decision } = rehearsed;
  const denied = denialOf(rehearsed);
  const { tenant } = decision.facts;
  if (real !== undefined && denied?.reason !== real.reason) {
    const steps = withReal(describeSteps(facts, denied?.detail), real);
    return { verdict: real.verdict, reason: real.reason, status: real.status, tenant, steps, hint: undefined };
  }
  const verdict = decision.kind === 'allowed' && denied !== undefined ? 'reported' : decision.kind;
  return {
    verdict,
    reason: denied?.reason,
    status: real?.status ?? (decision.kind === 'allowed' ? undefined : decision.status),
    tenant,
    steps: describeSteps(facts, real?.detail ?? denied?.detail),
    hint: denied && findHint(facts),
  };
}

function denialOf({ decision }: Rehearsed): { readonly reason: Reason; readonly detail: string } | undefined {
  if (decision.kind === 'refused') return decision;
  const { wouldRefuse, wouldRefuseDetail = '' } = decision.facts;
  return wouldRefuse === undefined ? undefined : { reason: wouldRefuse, detail: wouldRefuseDetail };
}

/** The last step that was said is the one that refused, where anything did. */
function describeSteps(facts: Facts, refusedFor: string | undefined): LadderStep[] {
  const said = joinedSteps(facts.said);
  const steps = said.flatMap(({ step, seen }, index): LadderStep[] => {
    const failed = refusedFor !== undefined && index === said.length - 1;
    const config = configBehind(step, facts, seen, failed);
    if (failed) return [{ step, outcome: 'failed', detail: redactTokens(refusedFor), config }];
    const text = describePassed(step, facts, seen);
    if (text === undefined) return [];
    return [{ step, outcome: text.skipped ? 'skipped' : 'passed', detail: redactTokens(text.detail), config }];
  });
  const isPublic = facts.case?.access === 'public' && refusedFor === undefined;
  return isPublic ? [...steps, notLookedAt(facts)] : steps;
}

function notLookedAt(facts: Facts): LadderStep {
  const detail = 'not looked at: access is public here, and no token travels on';
  return { step: 'token', outcome: 'skipped', detail, config: configBehind('route', facts, {}, false) };
}

/** Reasons that only a step in earnest can have. */
const inEarnest: Readonly<Partial<Record<LadderStep['step'], readonly Reason[]>>> = {
  body: ['bindMismatch', 'ruleRefused', 'requestRefused'],
  replay: ['tokenReplayed', 'stateUnavailable', 'claimRefused'],
  rate: ['requestRefused'],
  provision: ['provisionFailed'],
  sign: ['upstreamUnreachable'],
};

function withReal(steps: readonly LadderStep[], { reason, detail }: RealOutcome): LadderStep[] {
  const shown = redactTokens(detail);
  const index = steps.findIndex(({ step, outcome }) => outcome === 'skipped' && inEarnest[step]?.includes(reason));
  if (index !== -1) {
    return [...steps.slice(0, index), { ...(steps[index] as LadderStep), outcome: 'failed', detail: shown }];
  }
  const passed = steps.every(({ outcome }) => outcome !== 'failed');
  if (passed && (reason === 'upstreamUnreachable' || reason === 'upstreamTimeout')) {
    return [...steps, { step: 'upstream', outcome: 'failed', detail: shown, config: [['upstream']] }];
  }
  const otherwise = `${reason}: ${shown} (judged again a moment later, it came out as above)`;
  return [...steps, { step: 'outcome', outcome: 'failed', detail: otherwise, config: [] }];
}
