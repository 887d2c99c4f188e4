import { type Cors, compileCors } from '../gate/cors.ts';
import type { ConfigPath } from './config-path.ts';
import { complainIn, type Load, type Section } from './model.ts';
import type { CorsConfig } from './shape/cors.ts';

/** Compiles a section's own `cors`; undefined where it has none, or one with a problem, which the report then says. */
export function compileCorsOf(
  section: Section<{ readonly cors?: CorsConfig | 'off' | undefined }>,
  load: Load,
): Cors | undefined {
  return compileCorsAt(section, ['cors'], section.config.cors, load);
}

/** The same for the `cors` at a path of a section. */
export function compileCorsAt(
  section: Section<unknown>,
  path: ConfigPath,
  cors: CorsConfig | 'off' | undefined,
  load: Load,
): Cors | undefined {
  if (cors === undefined || cors === 'off') return undefined;
  const { preflight, origins, methods, headers, exposeHeaders = [], credentials, maxAge } = cors;
  const maxAgeS = Math.floor(maxAge / 1000);
  const compiled = compileCors({ preflight, origins, methods, headers, exposeHeaders, credentials, maxAgeS });
  if (!('problem' in compiled)) return compiled;
  complainIn(load, section, [...path, 'origins'], { message: compiled.problem });
  return undefined;
}
