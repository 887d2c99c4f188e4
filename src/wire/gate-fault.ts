import type { Refused } from '../gate/decision.ts';
import type { Gate } from '../gate/gate.ts';
import type { RequestHead } from '../gate/request-head.ts';

/** The gate promises never to fail. Should it, then this request is refused, and nothing else suffers. */
export function refuseForGateFault(gate: Gate, head: RequestHead, error: unknown): Refused {
  return gate.refuse('requestRefused', `the gate failed: ${faultPlace(error)}`, { head, status: 500, close: true });
}

/** The kind and place of an error, without its message, which may hold what the client sent. */
function faultPlace(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const place = error.stack?.split('\n').find((line) => line.trimStart().startsWith('at '));
  return `${error.name} ${place?.trim() ?? ''}`;
}
