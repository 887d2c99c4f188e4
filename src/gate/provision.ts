import { hash } from 'node:crypto';
import type { Call, CallResult } from '../outbound/call.ts';
import type { JsonTemplate } from '../sign/json-template.ts';
import type { Provisions } from '../state/provisions.ts';
import { fillTemplate, readPart, type Template } from '../template/template.ts';
import type { Provisioning, ProvisionOutcome, SendValues, Signing } from './send.ts';
import type { Json } from './token.ts';

/** A tenant's `provision`, compiled. */
export interface ProvisionSpec {
  /** Tells this endpoint from others in what is remembered. */
  readonly endpoint: string;
  readonly url: URL;
  readonly method: string;
  readonly timeoutMs: number;
  readonly rememberMs: number;
  /** What tells the users of one tenant apart. */
  readonly subject: Template;
  readonly headers: readonly { readonly name: string; readonly template: Template }[];
  readonly body: JsonTemplate;
  readonly signing: Signing | undefined;
}

export interface ProvisionDeps {
  readonly provisions: Provisions;
  readonly call: (request: Pick<Call, 'url' | 'method' | 'headers' | 'body' | 'timeoutMs'>) => Promise<CallResult>;
}

/** Visible ASCII: what a header of ours may hold. */
const plainValue = /^[\x20-\x7e]*$/;

/** One call a (tenant, subject), remembered; what claims can't be put into the call is a failure, as is all but a 2xx. */
export function createProvisioning(spec: ProvisionSpec, { provisions, call }: ProvisionDeps): Provisioning {
  return {
    ensure(values, nowMs) {
      const subject = textOf(spec.subject, values);
      if (subject === undefined || subject === '') return Promise.resolve(failed('the token names no subject'));
      // By what the token says, and not by the text that is made of it: "1" and 1, or "ab" + "c" and "a" + "bc", are two.
      const said = spec.subject.parts.map((part) => readPart(part, values) ?? null);
      // Digests are short, however long a claim is.
      const key = `${digest([spec.endpoint, values.tenant])} ${digest(said)}`;
      return provisions.ensure(key, spec.rememberMs, nowMs, () => provision(spec, values, nowMs, call));
    },
  };
}

async function provision(
  { url, method, timeoutMs, headers, body, signing }: ProvisionSpec,
  values: SendValues,
  nowMs: number,
  call: ProvisionDeps['call'],
): Promise<ProvisionOutcome> {
  const filled: Record<string, string> = method === 'GET' ? {} : { 'content-type': 'application/json' };
  for (const { name, template } of headers) {
    const value = textOf(template, values);
    if (value === undefined) continue;
    if (!plainValue.test(value)) return failed(`the header ${name} can't hold what the token says`);
    filled[name] = value;
  }
  const target = new URL(url);
  if (signing !== undefined) {
    const issued = await signing.issue(values, nowMs);
    if (issued.kind === 'failed') return failed(issued.detail);
    const { into, name, scheme } = signing;
    if (into.kind === 'query') target.searchParams.set(name, issued.token);
    else filled[name] = scheme === undefined ? issued.token : `${scheme} ${issued.token}`;
  }
  const content = body.fill(values, Math.floor(nowMs / 1000));
  if (content.kind === 'unfillable') return failed(`the body: ${content.detail}`);
  const text = method === 'GET' ? undefined : JSON.stringify(content.object);
  const answer = await call({ url: target, method, headers: filled, body: text, timeoutMs });
  if (answer.kind === 'none') return failed(`${url.origin}: ${answer.detail}`);
  return answer.status >= 200 && answer.status < 300
    ? { kind: 'done' }
    : failed(`${url.origin}: status ${answer.status}`);
}

function digest(parts: readonly unknown[]): string {
  return hash('sha256', JSON.stringify(parts), 'base64url');
}

function failed(detail: string): ProvisionOutcome {
  return { kind: 'failed', detail };
}

function textOf(template: Template, values: SendValues): string | undefined {
  return fillTemplate(template, values)?.map(asText).join('');
}

function asText(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
