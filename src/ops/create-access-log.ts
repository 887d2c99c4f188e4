import type { Outcome } from '../gate/gate.ts';
import type { Policy } from '../gate/policy.ts';
import { headerValues, type RequestHead } from '../gate/request-head.ts';
import { accessLine } from './access-log.ts';
import { isSampled, type SampleShares } from './access-sample.ts';
import { type AccessViewSpec, compileAccessView } from './access-view.ts';
import { clientAddress } from './client-address.ts';
import type { LineWriter } from './line-writer.ts';
import type { LogFormat } from './log.ts';
import { parseTraceParent } from './trace-context.ts';

export interface AccessLogOptions {
  readonly access: AccessViewSpec & { readonly sample: SampleShares };
  readonly format: LogFormat;
  readonly policy: Pick<Policy, 'isTrustedProxy'>;
  readonly writer: Pick<LineWriter, 'write'>;
  /** Of requests that are recorded here; undefined: nothing is traced. */
  readonly traceIdOf: ((head: RequestHead) => string | undefined) | undefined;
}

/** Writes a line for each request that is over, or for the share of them that the config asks for. */
export function createAccessLog({
  access,
  format,
  policy,
  writer,
  traceIdOf,
}: AccessLogOptions): (outcome: Outcome) => void {
  const view = compileAccessView(access);
  const showsTrace = view.text.trace_id !== 'drop';
  return (outcome) => {
    if (!isSampled(outcome, access.sample)) return;
    const { head } = outcome;
    const clientIp = head === undefined ? '' : clientAddress(head, policy.isTrustedProxy);
    const traceId = head !== undefined && showsTrace ? (traceIdOf?.(head) ?? calledTrace(head)) : undefined;
    writer.write(accessLine(outcome, clientIp, format, Date.now(), view, traceId));
  };
}

/** The trace that the client's own context names. */
function calledTrace(head: RequestHead): string | undefined {
  const values = headerValues(head, 'traceparent');
  return values.length === 0 ? undefined : parseTraceParent(values)?.traceId;
}
