import { compileExpression } from '../../src/cel/expression.ts';
import { Fault, type Raw } from '../../src/cel/value.ts';
import type { Vocabulary } from '../../src/cel/vocabulary.ts';

type Input = Readonly<Record<string, Raw>>;

/** A vocabulary of one map: `v.name`. */
export const oneMap: Vocabulary<Input> = { v: { type: 'map<string, dyn>', read: (input) => input } };

/** What an expression says of a map; a fault as its detail. */
export function evaluate(text: string, input: Input = {}): boolean | string {
  const expression = compileExpression(text, oneMap);
  if ('problems' in expression) throw new Error(`${text}: ${expression.problems[0]?.message}`);
  const value = expression.holds(input);
  return value instanceof Fault ? value.detail : value;
}

/** What is wrong with an expression, each with the stretch of the text that is blamed. */
export function problemsOf(text: string): string[] {
  const expression = compileExpression(text, oneMap);
  if (!('problems' in expression)) return [];
  return expression.problems.map(({ start, end, message }) => `${text.slice(start, end)}: ${message}`);
}
