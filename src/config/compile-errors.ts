import type { Reason } from '../gate/reasons.ts';
import { compileErrorFormat, type ErrorFormat, type ErrorSpec, errorPlaceholders } from '../gate/refuse.ts';
import type { Json } from '../gate/token.ts';
import type { ConfigPath } from './config-path.ts';
import { didYouMean } from './did-you-mean.ts';
import { complainIn, type Load, type Section } from './model.ts';
import { isContainer } from './places.ts';
import type { ErrorsConfig } from './shape/errors.ts';

const placeholder = /\$\$|\$\{([^}]*)\}?/g;

/** Compiles the `errors` of a tenant, or of the top level; a placeholder that nothing would fill is a problem. */
export function compileErrors(
  section: Section<{ readonly errors?: ErrorsConfig | undefined }>,
  load: Load,
): ErrorFormat {
  const { default: fallback, body, ...byReason } = section.config.errors ?? {};
  checkPlaceholders(body, ['errors', 'body'], section, load);
  return compileErrorFormat({ byReason: byReason as Partial<Record<Reason, ErrorSpec>>, fallback, body: body as Json });
}

function checkPlaceholders(value: unknown, path: ConfigPath, section: Section<unknown>, load: Load): void {
  if (typeof value === 'string') {
    for (const [whole, name] of value.matchAll(placeholder)) {
      if (whole === '$$' || (errorPlaceholders as readonly string[]).includes(name ?? '')) continue;
      const hint =
        didYouMean(name ?? '', errorPlaceholders) ?? `known: ${errorPlaceholders.join(', ')}; $$ is a dollar`;
      complainIn(load, section, path, { message: `${whole} is not filled in an error body`, hint });
    }
  } else if (isContainer(value)) {
    for (const [key, member] of Object.entries(value)) {
      checkPlaceholders(member, [...path, Array.isArray(value) ? Number(key) : key], section, load);
    }
  }
}
