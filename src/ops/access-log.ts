import type { LoggedClaims } from '../gate/decision.ts';
import type { Outcome } from '../gate/gate.ts';
import type { TextField } from '../gate/log-fields.ts';
import { reasons } from '../gate/reasons.ts';
import { headerValues, type RequestHead } from '../gate/request-head.ts';
import type { Json } from '../gate/token.ts';
import { type AccessView, type Show, usualView } from './access-view.ts';
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
export function accessLine(
  outcome: Outcome,
  clientIp: string,
  format: LogFormat,
  nowMs: number,
  view: AccessView = usualView,
  traceId?: string,
): string {
  return format === 'json'
    ? jsonLine(outcome, clientIp, nowMs, view, traceId)
    : textLine(outcome, clientIp, nowMs, view);
}

function jsonLine(
  outcome: Outcome,
  clientIp: string,
  nowMs: number,
  view: AccessView,
  traceId: string | undefined,
): string {
  const { decision, head } = outcome;
  const { facts } = decision;
  const { text, plain } = view;
  const reason = decision.kind === 'refused' ? decision.reason : facts.wouldRefuse;
  const detail = decision.kind === 'refused' ? decision.detail : facts.wouldRefuseDetail;

  let line = lineStart(nowMs, level(outcome));
  if (head !== undefined) line += member('request_id', head.id, text.request_id);
  if (traceId !== undefined) line += member('trace_id', traceId, text.trace_id);
  if (facts.tenant !== undefined) line += remembered('tenant', facts.tenant, text.tenant, tenantMember);
  line += decisionMember(decisionWord(outcome));
  if (reason !== undefined) line += `,"reason":"${reason}"`;
  if (detail !== undefined) line += member('detail', detail, text.detail);
  if (head !== undefined) {
    if (plain.method) line += methodMember(head.method);
    line += member('path', facts.path, text.path);
    if (plain.protocol) line += protocolMember(head.httpVersion);
    if (text.host !== 'drop') line += headerMember('host', head, 'host', text.host);
    if (text.user_agent !== 'drop') line += headerMember('user_agent', head, 'user-agent', text.user_agent);
    // Without the query of the page, in which a token may be.
    if (text.referer !== 'drop') line += headerMember('referer', head, 'referer', text.referer, '?');
  }
  line += `,"status":${outcome.status}`;
  if (plain.duration_ms) line += `,"duration_ms":${milliseconds(outcome.durationMs)}`;
  if (outcome.upstreamMs !== undefined && plain.upstream_ms)
    line += `,"upstream_ms":${milliseconds(outcome.upstreamMs)}`;
  if (plain.bytes_in) line += `,"bytes_in":${outcome.requestBytes}`;
  if (plain.bytes_out) line += `,"bytes_out":${outcome.responseBytes}`;
  if (clientIp !== '') line += member('client_ip', clientIp, text.client_ip);
  if (facts.tokenSource !== undefined && plain.token_source) line += sourceMember(facts.tokenSource);
  if (facts.algorithm !== undefined && plain.alg) line += algorithmMember(facts.algorithm);
  if (facts.kid !== undefined) line += remembered('kid', facts.kid, text.kid, kidMember);
  if (facts.issuer !== undefined) line += remembered('iss', facts.issuer, text.iss, issuerMember);
  if (facts.subject !== undefined) line += member('sub', facts.subject, text.sub);
  if (facts.claims !== undefined) line += claimsMember(facts.claims, view);
  if (facts.cached !== undefined && plain.cache) line += facts.cached ? ',"cache":"hit"' : ',"cache":"miss"';
  if (plain.lane) line += laneMember(outcome.lane);
  return `${plain.end ? line + endMember(outcome.end) : line}}`;
}

function member(name: TextField, text: string, show: Show): string {
  if (show === 'drop') return '';
  return `,"${name}":${quoteJson(show === 'keep' ? text : show(text))}`;
}

function remembered(name: TextField, text: string, show: Show, keep: (text: string) => string): string {
  return show === 'keep' ? keep(text) : member(name, text, show);
}

/** The first of this name, up to `end` if that is given. */
function headerMember(name: TextField, head: RequestHead, header: string, show: Show, end?: string): string {
  const [value] = headerValues(head, header);
  if (value === undefined) return '';
  return member(name, end === undefined ? value : (value.split(end, 1)[0] as string), show);
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
const endMember = rememberMembers((end) => `,"end":"${end}"`);

function claimsMember(claims: LoggedClaims, view: AccessView): string {
  const members = Object.entries(claims).map(([name, value]) => `"${name}":${claimText(value, view.claims[name])}`);
  return members.length === 0 ? '' : `,"claims":{${members.join(',')}}`;
}

/** Numbers and booleans as they are; what has parts, as the text of its JSON, so that no claim makes a line long. */
function claimText(value: Json, show: Show | undefined): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  if (typeof show === 'function') return quoteJson(show(text));
  return typeof value === 'number' || typeof value === 'boolean' ? text : quoteJson(text);
}

function textLine(outcome: Outcome, clientIp: string, nowMs: number, { text, claims }: AccessView): string {
  const { decision, head } = outcome;
  const { facts } = decision;
  const reason = decision.kind === 'refused' ? decision.reason : facts.wouldRefuse;
  const detail = decision.kind === 'refused' ? decision.detail : facts.wouldRefuseDetail;
  const shown = (value: string | undefined, show: Show): string => {
    if (value === undefined || value === '' || show === 'drop') return '';
    return printableText(show === 'keep' ? value : show(value));
  };

  let line = `${isoTime(nowMs).slice(11, 23)} ${decisionWord(outcome).padEnd(6)}`;
  line += head === undefined ? ' -' : ` ${printableText(head.method)} ${shown(facts.path, text.path) || '-'}`;
  line += ` ${outcome.status} ${milliseconds(outcome.durationMs)}ms tenant=${shown(facts.tenant, text.tenant) || '-'}`;
  if (reason !== undefined) line += ` reason=${reason}`;
  const why = shown(detail, text.detail);
  if (why !== '') line += ` (${why})`;
  const from = shown(clientIp, text.client_ip);
  if (from !== '') line += ` from=${from}`;
  const subject = shown(facts.subject, text.sub);
  if (subject !== '') line += ` sub=${subject}`;
  for (const [name, value] of Object.entries(facts.claims ?? {})) line += ` ${name}=${claimText(value, claims[name])}`;
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
