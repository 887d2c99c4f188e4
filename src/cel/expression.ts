import type { ASTNode } from '@marcbachmann/cel-js';
import { mostCharacters } from './bounds.ts';
import { checkExpression, type ExpressionProblem } from './check.ts';
import { createFrame, outOfSteps, type Run } from './frame.ts';
import { planCall, planMethod } from './plan-calls.ts';
import { planIn, planIndex, planName, planSelect } from './plan-members.ts';
import {
  binaries,
  planBinary,
  planChoice,
  planList,
  planLiteral,
  planLogic,
  planMap,
  planMinus,
  planNot,
} from './plan-operators.ts';
import { type Asked, type Findings, type Planning, refuseNode } from './planning.ts';
import { Fault, type Value } from './value.ts';
import type { Vocabulary } from './vocabulary.ts';

/** A condition in the Common Expression Language, ready to be asked. */
export interface Expression<Input> {
  readonly text: string;
  /** Names that it asks lookups for. */
  readonly asked: readonly Asked[];
  /** Members of namespaces that it reads: `request.body`. */
  readonly reads: ReadonlySet<string>;
  /** Literal paths to what it asks of variables, the longest alone: `claims`, `user`, `email`. */
  readonly paths: readonly (readonly string[])[];
  /** Never throws. A fault: it has no value for this input. */
  readonly holds: (input: Input) => boolean | Fault;
}

/**
 * Parses an expression, checks its types and its size, and makes it a function whose cost is bounded whatever it is
 * asked about. Otherwise all that is wrong with it; of types the first.
 */
export function compileExpression<Input>(
  text: string,
  vocabulary: Vocabulary<Input>,
): Expression<Input> | { readonly problems: readonly ExpressionProblem[] } {
  const whole = { start: 0, end: text.length };
  if (text.length > mostCharacters) {
    return { problems: [{ ...whole, message: `is longer than ${mostCharacters} characters` }] };
  }
  const checked = checkExpression(text, vocabulary as Vocabulary<never>);
  if ('message' in checked) return { problems: [checked] };
  if (checked.type !== 'bool' && checked.type !== 'dyn') {
    return { problems: [{ ...whole, message: `must be true or false, and is ${checked.type}` }] };
  }
  const findings: Findings = { problems: [], asked: [], reads: new Set(), paths: [], slots: 0 };
  const run = planningOf(text, vocabulary as Vocabulary<never>, findings).plan(checked.ast);
  const { problems, asked, reads, slots } = findings;
  if (problems.length > 0) return { problems };
  const paths = longest(findings.paths);
  return { text, asked, reads, paths, holds: (input) => evaluate(run, input, slots) };
}

function longest(paths: Findings['paths']): Findings['paths'] {
  return paths.filter((path, index) => {
    const goesOn = (other: readonly string[]) => path.every((name, at) => other[at] === name);
    return !paths.some(
      (other, at) => goesOn(other) && (other.length > path.length || (other.length === path.length && at < index)),
    );
  });
}

const noBool = new Fault('its value is not true or false');
const broken = new Fault('it cannot be evaluated');

function evaluate(run: Run, input: unknown, slots: number): boolean | Fault {
  const frame = createFrame(input, slots);
  let value: Value | Fault;
  try {
    value = run(frame);
  } catch {
    // Not known to happen; a request must not find out how.
    return broken;
  }
  if (frame.stepsLeft < 0) return outOfSteps;
  return typeof value === 'boolean' || value instanceof Fault ? value : noBool;
}

function planningOf(
  text: string,
  vocabulary: Vocabulary<never>,
  findings: Findings,
  loopVariables: ReadonlyMap<string, number> = new Map(),
): Planning {
  const planning: Planning = {
    text,
    vocabulary,
    loopVariables,
    findings,
    plan: (node) => planNode(node, planning),
    within: (variable, slot) => planningOf(text, vocabulary, findings, new Map([...loopVariables, [variable, slot]])),
  };
  return planning;
}

function planNode(node: ASTNode, planning: Planning): Run {
  switch (node.op) {
    case 'value':
      return planLiteral(node, node.args, planning);
    case 'id':
      return planName(node, planning);
    case '.':
      return planSelect(node, planning);
    case '[]':
      return planIndex(node, planning);
    case 'in':
      return planIn(node, planning);
    case 'list':
      return planList(node, planning);
    case 'map':
      return planMap(node, planning);
    case '!_':
      return planNot(node, planning);
    case '-_':
      return planMinus(node, planning);
    case '&&':
      return planLogic(node, planning, false);
    case '||':
      return planLogic(node, planning, true);
    case '?:':
      return planChoice(node, planning);
    case 'call':
      return planCall(node, planning);
    case 'rcall':
      return planMethod(node, planning);
    case '.?':
    case '[?]':
      return refuseNode(planning, node, 'is not there: use has()');
    default:
      return planBinary(node, planning, binaries[node.op] as never);
  }
}
