import { RE2JS } from 're2js';
import { mostInstructions, mostSteps } from './bounds.ts';

/**
 * A regular expression that no text brings to its knees (RE2): what a look costs grows with the length of the text times
 * the size of the expression, and both are bounded.
 */
export interface Pattern {
  /** What looking at a text of so many UTF-16 units may cost, in the steps of `bounds.ts`. */
  readonly stepsFor: (length: number) => number;
  /** Is there a part of the text that matches? */
  readonly finds: (text: string) => boolean;
  /** Does the whole text match? A text that is too long for the expression is not looked at, and does not. */
  readonly matchesAll: (text: string) => boolean;
}

/** Instructions that the engine looks at in the time of one step. */
const instructionsAStep = 4;

/** Compiles an expression; a problem tells in words that follow its name. */
export function compilePattern(text: string): Pattern | { readonly problem: string } {
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(text);
  } catch (error) {
    return { problem: `is no RE2 expression: ${error instanceof Error ? error.message : 'it cannot be read'}` };
  }
  const instructions = compiled.programSize();
  if (instructions > mostInstructions) {
    return { problem: 'is too large a regular expression: fewer or smaller repeats' };
  }
  // By its matcher, whose time is even. `test` and `matches` build an automaton as they go, which is quicker for most texts,
  // and fifty times slower for a text that brings a new state with each letter: (a|b)*a(a|b){60} and random letters.
  const stepsFor = (length: number) => 1 + (length * instructions) / instructionsAStep;
  return {
    stepsFor,
    finds: (value) => compiled.matcher(value).find(),
    matchesAll: (value) => stepsFor(value.length) <= mostSteps && compiled.matcher(value).matches(),
  };
}
