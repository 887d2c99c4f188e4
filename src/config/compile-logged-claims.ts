import { type ClaimPath, parseClaimPath } from '../gate/claims.ts';
import type { Policy } from '../gate/policy.ts';
import { complainIn, type Load, type Section } from './model.ts';
import type { GlobalConfig } from './shape/config.ts';

/** The claims that `log.access` names; a path that can't be read is a problem. */
export function compileLoggedClaims(globals: Section<GlobalConfig>, load: Load): Policy['loggedClaims'] {
  const compiled: { readonly name: string; readonly path: ClaimPath }[] = [];
  for (const [name, { path: written }] of Object.entries(globals.config.log.access?.claims ?? {})) {
    const path = typeof written === 'string' ? parseClaimPath(written) : written;
    if ('problem' in path) complainIn(load, globals, ['log', 'access', 'claims', name], { message: path.problem });
    else compiled.push({ name, path });
  }
  return compiled;
}
