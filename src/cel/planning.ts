import type { ASTNode } from '@marcbachmann/cel-js';
import type { ExpressionProblem } from './check.ts';
import type { Run } from './frame.ts';
import { Fault } from './value.ts';
import type { Vocabulary } from './vocabulary.ts';

/** A name that an expression asks a lookup for. */
export interface Asked {
  /** `request.headers` */
  readonly of: string;
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** What planning an expression brings to light beside the plan. */
export interface Findings {
  readonly problems: ExpressionProblem[];
  readonly asked: Asked[];
  /** Members of namespaces that are read: `request.body`. */
  readonly reads: Set<string>;
  /** Members of variables that are asked for by literal names, each with all on its way: `claims`, `user`, `email`. */
  readonly paths: (readonly string[])[];
  /** Loop variables, each with a slot of its own. */
  slots: number;
}

/** Where a node stands: what its plan can see, and where it says what it found. */
export interface Planning {
  readonly text: string;
  readonly vocabulary: Vocabulary<never>;
  /** Loop variables in sight, and their slots. */
  readonly loopVariables: ReadonlyMap<string, number>;
  readonly findings: Findings;
  /** Plans an inner node, which sees the same. */
  readonly plan: (node: ASTNode) => Run;
  /** The same with one more loop variable in sight. */
  readonly within: (variable: string, slot: number) => Planning;
}

type Place = Pick<ASTNode, 'start' | 'end'>;

const nothing: Run = () => null;

/** Puts a problem with a node among the findings; the plan will not be run. */
export function refuseNode({ findings }: Planning, { start, end }: Place, message: string): Run {
  findings.problems.push({ start, end, message });
  return nothing;
}

const longestSnippet = 60;

/** A fault that shows the node as it stands in the expression. */
export function faultAt({ text }: Planning, { start, end }: Place, detail: string): Fault {
  const line = text.slice(start, end).replace(/\s+/g, ' ').trim();
  return new Fault(`${line.length > longestSnippet ? `${line.slice(0, longestSnippet)}…` : line}: ${detail}`);
}

/** The text of a literal; undefined for what is computed. */
export function literalText(node: ASTNode): string | undefined {
  return node.op === 'value' && typeof node.args === 'string' ? node.args : undefined;
}

/** The literal names from a variable to a member of it; undefined for what is computed, or no variable's. */
export function literalPath(node: ASTNode, planning: Planning): readonly string[] | undefined {
  if (node.op === 'id') return planning.loopVariables.has(node.args) ? undefined : [node.args];
  if (node.op !== '.' && node.op !== '[]') return undefined;
  const [parent, member] = node.args;
  const name = typeof member === 'string' ? member : literalText(member);
  const path = literalPath(parent, planning);
  return name === undefined ? undefined : path && [...path, name];
}

/** Operators, calls, names and literals of which a node is made. */
export function countNodes(node: ASTNode): number {
  return 1 + childrenOf(node).reduce((sum, child) => sum + countNodes(child), 0);
}

function childrenOf(node: ASTNode): readonly ASTNode[] {
  switch (node.op) {
    case 'value':
    case 'id':
      return [];
    case '.':
    case '.?':
      return [node.args[0]];
    case '!_':
    case '-_':
      return [node.args];
    case 'call':
      return node.args[1];
    case 'rcall':
      return [node.args[1], ...node.args[2]];
    case 'map':
      return node.args.flat();
    default:
      return node.args;
  }
}
