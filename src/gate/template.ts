import { type ClaimPath, findClaim, parseClaimPath } from './claims.ts';
import type { Captures } from './path.ts';
import type { Json, JsonObject } from './token.ts';

/** What `${…}` in headers and payloads can name. */
export interface TemplateValues {
  readonly claims: JsonObject;
  readonly captures: Captures;
  readonly requestId: string;
}

type Part = { readonly kind: 'text'; readonly text: string } | { readonly kind: 'value'; readonly read: ReadValue };
type ReadValue = (values: TemplateValues) => Json | undefined;

export interface Template {
  readonly parts: readonly Part[];
  /** `path.NAME` variables it reads. */
  readonly pathVariables: readonly string[];
}

/**
 * Compiles `${claims.a.b}`, `${path.name}` and `${request.id}`; `$$` is a dollar. `${tenant}` and environment variables
 * are filled before, at load.
 */
export function compileTemplate(text: string): Template | { readonly problem: string } {
  const parts: Part[] = [];
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
    const read = compilePlaceholder(name);
    if (typeof read !== 'function') return read;
    if (name.startsWith('path.')) pathVariables.push(name.slice('path.'.length));
    parts.push({ kind: 'value', read });
    rest = rest.slice(end + 1);
  }
  return { parts, pathVariables };
}

function compilePlaceholder(name: string): ReadValue | { readonly problem: string } {
  if (name === 'request.id') return ({ requestId }) => requestId;
  if (name.startsWith('path.')) {
    const variable = name.slice('path.'.length);
    return ({ captures }) => captures.get(variable);
  }
  if (name.startsWith('claims.') || name.startsWith('claims[')) {
    const path: ClaimPath | { readonly problem: string } = parseClaimPath(
      name.startsWith('claims.') ? name.slice('claims.'.length) : name.slice('claims'.length),
    );
    if ('problem' in path) return path;
    return ({ claims }) => findClaim(claims, path);
  }
  return { problem: `\${${name}} is not known here: use \${claims.…}, \${path.…}, \${request.id} or \${tenant}` };
}

/** The template's parts as values; undefined where one of them is missing (or null). */
export function fillTemplate(template: Template, values: TemplateValues): readonly Json[] | undefined {
  const filled: Json[] = [];
  for (const part of template.parts) {
    const value = part.kind === 'text' ? part.text : part.read(values);
    if (value === undefined || value === null) return undefined;
    filled.push(value);
  }
  return filled;
}
