import type { Outcome } from '../gate/gate.ts';
import { reasons } from '../gate/reasons.ts';
import type { LogFormat } from './log.ts';
import { printableText, quoteJson, quotePlain } from './printable.ts';
import { flat, rememberMembers } from './remembered-members.ts';

/**
 * What became of one request, in one word. `report`: let through by `mode: report` although a check failed; `answer`:
 * neither forwarded nor refused, but answered here (a CORS preflight).
 */
export type DecisionWord = 'allow' | 'deny' | 'report' | 'answer';

/** The word for an outcome's decision, the same in the access log and the metrics. */
export function decisionWord(outcome: Outcome): DecisionWord {
  const { kind, facts } = outcome.decision;
  if (kind === 'allowed') return facts.wouldRefuse === undefined ? 'allow' : 'report';
  return kind === 'refused' ? 'deny' : 'answer';
}

/**
 * One line about one request, without its newline. Holds no token, no query and no secret; keys as docs/operations.md
 * lists them, those without a value left out.
 */
export function accessLine(outcome: Outcome, clientIp: string, format: LogFormat, nowMs: number): string {
  return format === 'json' ? jsonLine(outcome, clientIp, nowMs) : textLine(outcome, clientIp, nowMs);
}

function jsonLine(outcome: Outcome, clientIp: string, nowMs: number): string {
  const { decision, head } = outcome;
  const { facts } = decision;
  const reason = decision.kind === 'refused' ? decision.reason : facts.wouldRefuse;
  const detail = decision.kind === 'refused' ? decision.detail : facts.wouldRefuseDetail;

  let line = lineStart(nowMs, level(outcome));
  if (head !== undefined) line += `,"request_id":${quotePlain(head.id)}`;
  if (facts.tenant !== undefined) line += tenantMember(facts.tenant);
  line += decisionMember(decisionWord(outcome));
  if (reason !== undefined) line += `,"reason":"${reason}"`;
  if (detail !== undefined) line += `,"detail":${quoteJson(detail)}`;
  if (head !== undefined) {
    line += `${methodMember(head.method)},"path":${quoteJson(facts.path)}${protocolMember(head.httpVersion)}`;
  }
  line += `,"status":${outcome.status},"duration_ms":${milliseconds(outcome.durationMs)}`;
  if (outcome.upstreamMs !== undefined) line += `,"upstream_ms":${milliseconds(outcome.upstreamMs)}`;
  line += `,"bytes_in":${outcome.requestBytes},"bytes_out":${outcome.responseBytes}`;
  if (clientIp !== '') line += `,"client_ip":${quotePlain(clientIp)}`;
  if (facts.tokenSource !== undefined) line += sourceMember(facts.tokenSource);
  if (facts.algorithm !== undefined) line += algorithmMember(facts.algorithm);
  if (facts.kid !== undefined) line += kidMember(facts.kid);
  if (facts.issuer !== undefined) line += issuerMember(facts.issuer);
  if (facts.cached !== undefined) line += facts.cached ? ',"cache":"hit"' : ',"cache":"miss"';
  return line + laneMember(outcome.lane) + endMember(outcome.end);
}

const tenantMember = rememberMembers((tenant) => `,"tenant":${quotePlain(tenant)}`);
const decisionMember = rememberMembers((decision) => `,"decision":"${decision}"`);
const methodMember = rememberMembers((method) => `,"method":${quotePlain(method)}`);
const protocolMember = rememberMembers((version) => `,"protocol":"HTTP/${version}"`);
const sourceMember = rememberMembers((source) => `,"token_source":${quotePlain(source)}`);
const algorithmMember = rememberMembers((algorithm) => `,"alg":${quotePlain(algorithm)}`);
const kidMember = rememberMembers((kid) => `,"kid":${quoteJson(kid)}`);
const issuerMember = rememberMembers((issuer) => `,"iss":${quoteJson(issuer)}`);
const laneMember = rememberMembers((lane) => `,"lane":"${lane}"`);
const endMember = rememberMembers((end) => `,"end":"${end}"}`);

function textLine(outcome: Outcome, clientIp: string, nowMs: number): string {
  const { decision, head } = outcome;
  const { facts } = decision;
  const reason = decision.kind === 'refused' ? decision.reason : facts.wouldRefuse;
  const detail = decision.kind === 'refused' ? decision.detail : facts.wouldRefuseDetail;

  let line = `${isoTime(nowMs).slice(11, 23)} ${decisionWord(outcome).padEnd(6)}`;
  line += head === undefined ? ' -' : ` ${printableText(head.method)} ${printableText(facts.path)}`;
  line += ` ${outcome.status} ${milliseconds(outcome.durationMs)}ms tenant=${printableText(facts.tenant ?? '-')}`;
  if (reason !== undefined) line += ` reason=${reason}`;
  if (detail !== undefined) line += ` (${printableText(detail)})`;
  if (clientIp !== '') line += ` from=${printableText(clientIp)}`;
  if (outcome.end !== 'complete') line += ` end=${outcome.end}`;
  return line;
}

type LogLevel = 'info' | 'warn';

/** What a client did wrong is no fault of ours to warn of; keys and upstreams that fail are. */
function level({ decision, end }: Outcome): LogLevel {
  if (end === 'upstreamGone') return 'warn';
  return decision.kind === 'refused' && reasons[decision.reason].fault !== 'client' ? 'warn' : 'info';
}

/** With three decimals at most, from whole numbers: a double would take twice as long to write. */
function milliseconds(ms: number): string {
  const rounded = Math.round(ms * 1000);
  const rest = rounded % 1000;
  const whole = `${(rounded - rest) / 1000}`;
  if (rest === 0) return whole;
  return rest < 10 ? `${whole}.00${rest}` : rest < 100 ? `${whole}.0${rest}` : `${whole}.${rest}`;
}

let lastMs = Number.NaN;
let lastStarts: { [level in LogLevel]: string } = { info: '', warn: '' };

/** Many requests end within one millisecond. */
function lineStart(nowMs: number, level: LogLevel): string {
  if (nowMs !== lastMs) {
    const time = `{"time":"${isoTime(nowMs)}","level":`;
    lastStarts = { info: flat(`${time}"info","msg":"request"`), warn: flat(`${time}"warn","msg":"request"`) };
    lastMs = nowMs;
  }
  return lastStarts[level];
}

let minuteStartMs = Number.NaN;
let minutePrefix = '';

/** As Date's toISOString, which would be a fifth of the line's cost: only seconds change within a minute. */
function isoTime(nowMs: number): string {
  const sinceMinute = nowMs - minuteStartMs;
  if (!(sinceMinute >= 0 && sinceMinute < 60_000)) {
    minuteStartMs = Math.floor(nowMs / 60_000) * 60_000;
    minutePrefix = new Date(minuteStartMs).toISOString().slice(0, 17);
    return isoTime(nowMs);
  }
  const ms = Math.floor(sinceMinute);
  const seconds = (ms / 1000) | 0;
  const rest = ms - seconds * 1000;
  return `${minutePrefix}${seconds < 10 ? '0' : ''}${seconds}.${rest < 10 ? '00' : rest < 100 ? '0' : ''}${rest}Z`;
}
