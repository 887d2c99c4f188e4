import { type Cors, compileCors } from '../gate/cors.ts';
import { complainIn, type Load, type Section } from './model.ts';
import type { CorsConfig } from './shape/cors.ts';

/** Compiles a section's own `cors`; undefined where it has none, or one with a problem, which the report then says. */
export function compileCorsOf(
  section: Section<{ readonly cors?: CorsConfig | undefined }>,
  load: Load,
): Cors | undefined {
  const { cors } = section.config;
  if (cors === undefined) return undefined;
  const { preflight, origins, methods, headers, exposeHeaders = [], credentials, maxAge } = cors;
  const maxAgeS = Math.floor(maxAge / 1000);
  const compiled = compileCors({ preflight, origins, methods, headers, exposeHeaders, credentials, maxAgeS });
  if (!('problem' in compiled)) return compiled;
  complainIn(load, section, ['cors', 'origins'], { message: compiled.problem });
  return undefined;
}
