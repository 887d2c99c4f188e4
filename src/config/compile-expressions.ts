import { compileRule, type Rule, type RuleName } from '../gate/rule.ts';
import type { ConfigPath } from './config-path.ts';
import { didYouMean } from './did-you-mean.ts';
import { type FindingText, findingAt } from './finding.ts';
import { complainIn, type Load, spanIn, type TenantSection } from './model.ts';
import { spanInText } from './text-span.ts';

/** Compiles the `rule` at a path of a tenant; a list, as a tenant and its route may have one each. */
export type RuleCompiler = (source: string | undefined, tenant: TenantSection, path: ConfigPath) => readonly Rule[];

/** Makes a compiler that compiles one text once, however many tenants have it by a template. */
export function createRuleCompiler(load: Load): RuleCompiler {
  const compiled = new Map<string, ReturnType<typeof compileRule>>();
  return (source, tenant, path) => {
    if (source === undefined) return noRules;
    const result = compiled.get(source) ?? compileRule(source);
    compiled.set(source, result);
    if (!('problems' in result)) return [result];
    for (const { message, unknown, start, end } of result.problems) {
      const hint = unknown && (didYouMean(unknown.name, unknown.known) ?? `there is ${unknown.known.join(', ')}`);
      complainInRule(load, tenant, path, { start, end }, { message, hint });
    }
    return noRules;
  };
}

const noRules: readonly Rule[] = [];

/** Says something about a part of a rule, at its own line and column wherever these can be told. */
export function complainInRule(
  load: Load,
  tenant: TenantSection,
  path: ConfigPath,
  { start, end }: Pick<RuleName, 'start' | 'end'>,
  text: FindingText,
): void {
  const scalar = spanIn(load, tenant, path);
  const source = valueAt(tenant.raw, path);
  const span = scalar && typeof source === 'string' ? spanInText(scalar, source, start, end) : undefined;
  if (span === undefined) complainIn(load, tenant, path, text);
  else load.report.add(findingAt(span, [...tenant.path, ...path], text));
}

function valueAt(value: unknown, path: ConfigPath): unknown {
  return path.reduce<unknown>((inner, part) => (inner as Readonly<Record<string, unknown>> | undefined)?.[part], value);
}
