import { type ASTNode, Environment, type ParseError, type TypeError as TypeFault } from '@marcbachmann/cel-js';
import { mostLevels, mostNodes } from './bounds.ts';
import type { Vocabulary } from './vocabulary.ts';

/** What is wrong with an expression, and where in its text (UTF-16 offsets; `end` is exclusive). */
export interface ExpressionProblem {
  readonly message: string;
  readonly start: number;
  readonly end: number;
  /** A name that is not known, and those that are there. */
  readonly unknown?: { readonly name: string; readonly known: readonly string[] };
}

export interface Checked {
  readonly ast: ASTNode;
  readonly type: string;
}

const environments = new WeakMap<Vocabulary<never>, Environment>();

function environmentOf(vocabulary: Vocabulary<never>): Environment {
  let environment = environments.get(vocabulary);
  if (environment === undefined) {
    environment = declare(vocabulary);
    environments.set(vocabulary, environment);
  }
  return environment;
}

/** Functions of CEL's that the checker does not know of. */
const furtherFunctions = [
  'int(google.protobuf.Timestamp): int',
  'string(google.protobuf.Timestamp): string',
  'string(google.protobuf.Duration): string',
  'timestamp(google.protobuf.Timestamp): google.protobuf.Timestamp',
  'timestamp(double): google.protobuf.Timestamp',
  'duration(google.protobuf.Duration): google.protobuf.Duration',
];

/** It only checks; evaluation is ours. */
const notCalled = (): never => {
  throw new Error('the checker does not evaluate');
};

function declare(vocabulary: Vocabulary<never>): Environment {
  const environment = new Environment({
    homogeneousAggregateLiterals: false,
    limits: { maxAstNodes: mostNodes, maxDepth: mostLevels, maxListElements: mostNodes, maxMapEntries: mostNodes },
  });
  for (const signature of furtherFunctions) environment.registerFunction(signature, notCalled);
  for (const [name, variable] of Object.entries(vocabulary)) {
    if (!('members' in variable)) {
      environment.registerVariable(name, variable.type);
      continue;
    }
    const members = Object.entries(variable.members).map(([member, one]) => [
      member,
      'type' in one ? one.type : 'map<string, string>',
    ]);
    environment.registerVariable({ name, schema: Object.fromEntries(members) });
  }
  return environment;
}

/** Parses an expression and checks its types: the first problem, if there is one. */
export function checkExpression(text: string, vocabulary: Vocabulary<never>): Checked | ExpressionProblem {
  const environment = environmentOf(vocabulary);
  try {
    const parsed = environment.parse(text);
    const checked = parsed.check();
    if (checked.valid) return { ast: parsed.ast, type: checked.type ?? 'dyn' };
    return describe(checked.error as TypeFault, text, vocabulary);
  } catch (error) {
    return describe(error as ParseError, text, vocabulary);
  }
}

function describe(error: ParseError | TypeFault, text: string, vocabulary: Vocabulary<never>): ExpressionProblem {
  // Whatever else it may throw has no place in the text.
  const { start, end } = error.range ?? { start: 0, end: text.length };
  const place = { start: Math.min(start, text.length), end: Math.min(Math.max(end, start), text.length) };
  const written = text.slice(place.start, place.end);
  switch (error.code) {
    case 'unknown_variable':
      return {
        ...place,
        message: `there is no ${written} here`,
        unknown: { name: written, known: Object.keys(vocabulary) },
      };
    case 'no_such_key': {
      const namespace = namespaceBefore(text.slice(0, place.start), vocabulary);
      const unknown = namespace && { name: written, known: Object.keys(namespace.members) };
      return { ...place, message: `there is no ${written} here`, ...(unknown && { unknown }) };
    }
    case 'unexpected_token':
    case 'expected_token':
      if (start >= text.trimEnd().length) return { ...place, message: 'ends before it is complete' };
      return { ...place, message: plain(error.summary) };
    case 'limit_exceeded':
      return {
        ...place,
        message: `has more than ${mostNodes} parts, or is nested more than ${mostLevels} levels deep`,
      };
    default:
      return { ...place, message: plain(error.summary ?? 'its types cannot be told') };
  }
}

function namespaceBefore(text: string, vocabulary: Vocabulary<never>) {
  const name = /([A-Za-z_]\w*)\s*\.\s*$/.exec(text)?.[1];
  const variable = name !== undefined && Object.hasOwn(vocabulary, name) ? vocabulary[name] : undefined;
  return variable !== undefined && 'members' in variable ? variable : undefined;
}

const tokenNames: Readonly<Record<string, string>> = {
  EOF: 'the end',
  RPAREN: '")"',
  LPAREN: '"("',
  RBRACKET: '"]"',
  RBRACE: '"}"',
  IDENTIFIER: 'a name',
  COLON: '":"',
  COMMA: '","',
  DOT: '"."',
};

/** The checker's words in ours: its first letter is a capital, its tokens have names of its own. */
function plain(summary: string): string {
  const text = summary.replace(/\b[A-Z]{2,}\b/g, (name) => tokenNames[name] ?? name.toLowerCase());
  return text.charAt(0).toLowerCase() + text.slice(1);
}
