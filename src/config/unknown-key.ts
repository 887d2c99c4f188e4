import { didYouMean } from './did-you-mean.ts';
import type { FindingText } from './finding.ts';
import { isPlainObject } from './places.ts';

/** What to say of a key that nobody reads. `top`: it stands at the top of a file, where a tenant slips out to. */
export function unknownKeyText(key: string, known: Iterable<string>, value: unknown, top: boolean): FindingText {
  if (key === '<<') return mergeKeyText;
  const astray = top && isPlainObject(value) ? 'if it is a tenant, indent it under "tenants:"' : undefined;
  return { message: 'unknown key', hint: didYouMean(key, known) ?? astray };
}

/** Of YAML 1.1, and gone from 1.2. */
const mergeKeyText: FindingText = {
  message: 'merge keys ("<<") are not followed',
  hint: 'put what is shared under "templates:", and name it by "template:"',
};
