import {
  compileTemplate,
  fillTemplate,
  readPart,
  type Template,
  type TemplatePart,
  type TemplateValues,
} from '../template/template.ts';
import { foldName, isFieldName } from './field-name.ts';
import type { Json } from './token.ts';

export const listStyles = ['comma', 'json', 'repeat'] as const;
export const encodings = ['reject', 'percent', 'base64url', 'rfc8187'] as const;
export type ListStyle = (typeof listStyles)[number];
export type Encoding = (typeof encodings)[number];

/** One header that the upstream gets from verified claims. */
export interface IdentityHeader {
  readonly name: string;
  readonly template: Template;
  readonly list: ListStyle;
  readonly encode: Encoding;
}

export interface IdentityHeaderSpec {
  readonly value: string;
  readonly list?: ListStyle | undefined;
  readonly encode?: Encoding | undefined;
}

/** Names that frame or route the message: no claim may write them. */
const framingNames: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'via',
]);

/** Would a header of this name, in any spelling, change how the message is read or routed? */
export function framesMessage(name: string): boolean {
  return framingNames.has(foldName(name));
}

/** Compiles one entry of `headers`. */
export function compileIdentityHeader(
  name: string,
  spec: IdentityHeaderSpec,
): IdentityHeader | { readonly problem: string } {
  if (!isFieldName(name)) return { problem: `"${name}" is no header name (RFC 9110 section 5.1)` };
  if (framesMessage(name)) return { problem: `${name} frames the message: choose another name` };
  const template = compileTemplate(spec.value);
  if ('problem' in template) return template;
  return { name, template, list: spec.list ?? 'comma', encode: spec.encode ?? 'reject' };
}

export type EmittedHeaders =
  | { readonly kind: 'emitted'; readonly headers: string[] }
  /** A claim holds what the header cannot carry: `claimRefused`. */
  | { readonly kind: 'refused'; readonly detail: string };

/** The identity headers of one verified request, as a flat name, value … list. A claim that is missing sends none. */
export function emitIdentityHeaders(headers: readonly IdentityHeader[], values: TemplateValues): EmittedHeaders {
  const emitted: string[] = [];
  for (const header of headers) {
    const { parts } = header.template;
    const problem =
      parts.length === 1
        ? emitValue(header, readPart(parts[0] as TemplatePart, values), emitted)
        : emitFilled(header, fillTemplate(header.template, values), emitted);
    if (problem !== undefined) return cannotCarry(header, problem);
  }
  return { kind: 'emitted', headers: emitted };
}

function cannotCarry(header: IdentityHeader, why: string): EmittedHeaders {
  return { kind: 'refused', detail: `the value for ${header.name} cannot be sent as "${header.encode}": ${why}` };
}

/** Of a template that is one value, as nearly all are. The text that comes back says why there is no header. */
function emitValue(header: IdentityHeader, value: Json | undefined, emitted: string[]): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (Array.isArray(value)) return emitList(header, value, emitted);
  return emitText(header, typeof value === 'string' ? value : asciiJson(value), emitted);
}

function emitFilled(
  header: IdentityHeader,
  filled: readonly Json[] | undefined,
  emitted: string[],
): string | undefined {
  if (filled === undefined) return undefined;
  const text = filled.map((value) => (typeof value === 'string' ? value : asciiJson(value))).join('');
  return emitText(header, text, emitted);
}

function emitText({ name, encode }: IdentityHeader, text: string, emitted: string[]): string | undefined {
  const encoded = encoders[encode](text);
  if (encoded === undefined) return notPlain;
  emitted.push(name, encoded);
  return undefined;
}

const notPlain = 'characters outside printable ASCII, or a space at an end';

function emitList(header: IdentityHeader, list: readonly Json[], emitted: string[]): string | undefined {
  const lines = listValues(list, header);
  if (typeof lines === 'string') return lines;
  for (const line of lines) emitted.push(header.name, line);
  return undefined;
}

function listValues(list: readonly Json[], { list: style, encode }: IdentityHeader): readonly string[] | string {
  if (style === 'json') return encodeAll([asciiJson(list)], encode);
  const texts: string[] = [];
  for (const item of list) {
    if (item === null || typeof item === 'object') return 'a list member is no scalar (list: json would send it)';
    texts.push(String(item));
  }
  if (style === 'repeat') return encodeAll(texts, encode);
  if (encode === 'percent') return [texts.map((text) => percentEncode(text).replaceAll(',', '%2C')).join(',')];
  // "a,b" in one member would read as two members: ["user", "x,admin"] is not a way to become admin.
  if (texts.some((text) => text.includes(','))) return 'a list member holds a comma (list: json would send it)';
  return encodeAll([texts.join(',')], encode);
}

function encodeAll(texts: readonly string[], encode: Encoding): readonly string[] | string {
  const values: string[] = [];
  for (const text of texts) {
    const value = encoders[encode](text);
    if (value === undefined) return notPlain;
    values.push(value);
  }
  return values;
}

/** JSON in ASCII alone, so that no encoding is needed. */
function asciiJson(value: Json): string {
  return JSON.stringify(value).replaceAll(
    /[\x7f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Printable ASCII, and no space at either end that a reader would trim into another identity. */
const plainValue = /^(?:[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?$/;

const encoders: Readonly<Record<Encoding, (text: string) => string | undefined>> = {
  reject: (text) => (plainValue.test(text) ? text : undefined),
  percent: percentEncode,
  base64url: (text) => Buffer.from(text, 'utf8').toString('base64url'),
  rfc8187: (text) => `UTF-8''${percentEncodeStrict(text)}`,
};

/** Percent-encodes "%" and what a header can't carry; inner spaces go with the rest where anything has to go. */
function percentEncode(text: string): string {
  if (plainValue.test(text) && !text.includes('%')) return text;
  return encodeBytes(text, /[\x21-\x24\x26-\x7e]/);
}

/** RFC 8187 section 3.2.1: everything but attr-char. */
function percentEncodeStrict(text: string): string {
  return encodeBytes(text, /[A-Za-z0-9!#$&+\-.^_`|~]/);
}

function encodeBytes(text: string, plain: RegExp): string {
  let encoded = '';
  for (const byte of Buffer.from(text, 'utf8')) {
    const character = String.fromCharCode(byte);
    encoded += plain.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}
