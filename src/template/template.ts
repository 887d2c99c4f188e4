import type { ClientCertificate } from '../gate/client-certificate.ts';
import type { Captures } from '../gate/path.ts';
import type { Json, JsonObject } from '../gate/token.ts';
import { type ClaimPath, findClaim, parseClaimPath } from './claim-path.ts';
import { clientFields, clientValue, isClientField } from './client-field.ts';

/** What `${…}` in headers and payloads can name. */
export interface TemplateValues {
  readonly claims: JsonObject;
  readonly captures: Captures;
  readonly requestId: string;
  /** Verified by TLS; undefined where the client showed none. */
  readonly client?: ClientCertificate | undefined;
  /** The recognised tenant's id: only for templates compiled with `tenant: 'late'`. */
  readonly tenant?: string | undefined;
}

export type TemplatePart =
  | { readonly kind: 'text'; readonly text: string }
  /** `name` is what stands between the braces. */
  | { readonly kind: 'value'; readonly name: string; readonly read: ReadValue };

type ReadValue = (values: TemplateValues) => Json | undefined;

export interface Template {
  readonly parts: readonly TemplatePart[];
  /** `path.NAME` variables it reads. */
  readonly pathVariables: readonly string[];
  /** It reads of the client's certificate. */
  readonly readsClient: boolean;
}

/**
 * Compiles `${claims.a.b}`, `${path.name}`, `${client.subject}` and `${request.id}`; `$$` is a dollar. Environment
 * variables are filled before, at load, and so is `${tenant}`, but where `late`: in what several tenants share.
 */
export function compileTemplate(
  text: string,
  { tenant = 'filled' }: { readonly tenant?: 'filled' | 'late' } = {},
): Template | { readonly problem: string } {
  const parts: TemplatePart[] = [];
  const pathVariables: string[] = [];
  let rest = text;
  while (rest !== '') {
    const dollar = rest.indexOf('$');
    if (dollar !== 0) {
      parts.push({ kind: 'text', text: dollar === -1 ? rest : rest.slice(0, dollar) });
      if (dollar === -1) break;
      rest = rest.slice(dollar);
    }
    if (rest.startsWith('$$')) {
      parts.push({ kind: 'text', text: '$' });
      rest = rest.slice(2);
      continue;
    }
    const end = rest.startsWith('${') ? rest.indexOf('}') : -1;
    if (end === -1) return { problem: `"${rest}": a "$" begins \${…}; write $$ for a dollar` };
    const name = rest.slice(2, end);
    const read = name === 'tenant' && tenant === 'late' ? readTenant : compilePlaceholder(name);
    if (typeof read !== 'function') return read;
    if (name.startsWith('path.')) pathVariables.push(name.slice('path.'.length));
    parts.push({ kind: 'value', name, read });
    rest = rest.slice(end + 1);
  }
  const readsClient = parts.some((part) => part.kind === 'value' && part.name.startsWith('client.'));
  return { parts, pathVariables, readsClient };
}

const readTenant: ReadValue = ({ tenant }) => tenant;

function compilePlaceholder(name: string): ReadValue | { readonly problem: string } {
  if (name === 'request.id') return ({ requestId }) => requestId;
  if (name.startsWith('path.')) {
    const variable = name.slice('path.'.length);
    return ({ captures }) => captures.get(variable);
  }
  if (name.startsWith('client.')) {
    const field = name.slice('client.'.length);
    if (!isClientField(field)) return { problem: `\${${name}}: a certificate has ${clientFields.join(', ')}` };
    return ({ client }) => clientValue(client, field);
  }
  if (name.startsWith('claims.') || name.startsWith('claims[')) {
    const path: ClaimPath | { readonly problem: string } = parseClaimPath(
      name.startsWith('claims.') ? name.slice('claims.'.length) : name.slice('claims'.length),
    );
    if ('problem' in path) return path;
    return ({ claims }) => findClaim(claims, path);
  }
  return {
    problem: `\${${name}} is not known here: use \${claims.…}, \${path.…}, \${client.…}, \${request.id} or \${tenant}`,
  };
}

export function readPart(part: TemplatePart, values: TemplateValues): Json | undefined {
  return part.kind === 'text' ? part.text : part.read(values);
}

/** The template's parts as values; undefined where one of them is missing (or null). */
export function fillTemplate(template: Template, values: TemplateValues): readonly Json[] | undefined {
  const filled: Json[] = [];
  for (const part of template.parts) {
    const value = readPart(part, values);
    if (value === undefined || value === null) return undefined;
    filled.push(value);
  }
  return filled;
}
