import type { ASTNode } from '@marcbachmann/cel-js';
import { createFrame, outOfSteps, type Run, spend } from './frame.ts';
import { type Func, functions, methods } from './functions.ts';
import { compilePattern } from './pattern.ts';
import { planLoop } from './plan-loops.ts';
import { planHas } from './plan-members.ts';
import { placed, planUnary } from './plan-operators.ts';
import { faultAt, literalText, type Planning, refuseNode } from './planning.ts';
import { findZone, partOf, timeParts, utc } from './time-parts.ts';
import { Fault } from './value.ts';

export function planCall(node: ASTNode & { readonly op: 'call' }, planning: Planning): Run {
  const [name, args] = node.args;
  const [first] = args;
  if (name === 'has' && first !== undefined && args.length === 1) return planHas(first, planning);
  const func = Object.hasOwn(functions, name) ? functions[name] : undefined;
  if (func?.parameters !== args.length) return refuseNode(planning, node, `there is no ${name}() here`);
  return planFunc(func, node, args, planning);
}

export function planMethod(node: ASTNode & { readonly op: 'rcall' }, planning: Planning): Run {
  const [name, receiver, args] = node.args;
  const loop = planLoop(node, planning);
  if (loop !== undefined) return loop;
  const [argument] = args;
  if (name === 'matches' && argument !== undefined && args.length === 1) {
    return planMatches(receiver, argument, planning);
  }
  if (Object.hasOwn(timeParts, name) && args.length <= 1) return planTimePart(node, name, receiver, argument, planning);
  const overloads = Object.hasOwn(methods, name) ? (methods[name] as readonly Func[]) : [];
  const func = overloads.find(({ parameters }) => parameters === args.length + 1);
  if (func === undefined) return refuseNode(planning, node, `there is no ${name}() of a value here`);
  return planFunc(func, node, [receiver, ...args], planning);
}

/** Functions take one value or two. One of literals alone is called at once, so that `duration("1x")` is found at load. */
function planFunc({ call }: Func, node: ASTNode, args: readonly ASTNode[], planning: Planning): Run {
  const [run, runSecond] = args.map(planning.plan) as [Run, Run | undefined];
  const mistyped = faultAt(planning, node, 'is not there for a value of this type');
  const runCall: Run = (frame) => {
    const value = run(frame);
    if (value instanceof Fault) return value;
    const second = runSecond?.(frame);
    if (second instanceof Fault) return second;
    const result = second === undefined ? call(frame, value) : call(frame, value, second);
    return result === undefined ? mistyped : placed(result, node, planning);
  };
  if (!args.every(({ op }) => op === 'value') || planning.findings.problems.length > 0) return runCall;
  const constant = runCall(createFrame(undefined, 0));
  return constant instanceof Fault ? refuseNode(planning, node, constant.detail) : () => constant;
}

/**
 * Whether some part of the text matches, as CEL has it. The expression is compiled once, by an engine whose time grows
 * with the length of the text alone, and so must be a literal.
 */
function planMatches(receiver: ASTNode, argument: ASTNode, planning: Planning): Run {
  const text = literalText(argument);
  if (text === undefined) return refuseNode(planning, argument, 'must be a regular expression in quotes');
  const pattern = compilePattern(text);
  if ('problem' in pattern) return refuseNode(planning, argument, pattern.problem);
  const run = planning.plan(receiver);
  const noText = faultAt(planning, receiver, 'is no text');
  return (frame) => {
    const value = run(frame);
    if (value instanceof Fault) return value;
    if (typeof value !== 'string') return noText;
    return spend(frame, pattern.stepsFor(value.length)) ? pattern.finds(value) : outOfSteps;
  };
}

/** The zones' own rules are looked up anew each time. */
const stepsOfZone = 100;

function planTimePart(
  node: ASTNode,
  name: string,
  receiver: ASTNode,
  zoneNode: ASTNode | undefined,
  planning: Planning,
): Run {
  const zoneName = zoneNode && literalText(zoneNode);
  const zone = zoneNode === undefined ? utc : zoneName && findZone(zoneName);
  if (!zone) {
    return refuseNode(planning, zoneNode ?? node, 'must be a time zone in quotes: "Europe/Berlin" or "+02:00"');
  }
  const part = planUnary(node, receiver, planning, (value) => partOf(value, name, zone));
  return (frame) => (spend(frame, stepsOfZone) ? part(frame) : outOfSteps);
}
