import type { ASTNode } from '@marcbachmann/cel-js';
import { arithmetic, type Binary, int, negate } from './arithmetic.ts';
import { equals, order } from './compare.ts';
import type { Run } from './frame.ts';
import { faultAt, type Planning, refuseNode } from './planning.ts';
import { Dict, Fault, List, type Value } from './value.ts';

/* Literals, and what stands between values. */

export function planLiteral(node: ASTNode, value: unknown, planning: Planning): Run {
  if (typeof value === 'bigint') {
    const checked = int(value);
    return checked instanceof Fault ? refuseNode(planning, node, checked.detail) : () => checked;
  }
  if (typeof value === 'object' && value !== null) {
    return refuseNode(planning, node, 'bytes and unsigned numbers are not there: no claim is one');
  }
  const literal = value as string | number | boolean | null;
  return () => literal;
}

export function planList(node: ASTNode & { readonly op: 'list' }, planning: Planning): Run {
  const runs = node.args.map(planning.plan);
  if (node.args.every(({ op }) => op === 'value')) {
    const list = new List(node.args.map(({ args }) => args as Value));
    return () => list;
  }
  return (frame) => {
    const values: Value[] = [];
    for (const run of runs) {
      const value = run(frame);
      if (value instanceof Fault) return value;
      values.push(value);
    }
    return new List(values);
  };
}

export function planMap(node: ASTNode & { readonly op: 'map' }, planning: Planning): Run {
  const runs = node.args.map(([key, value]) => [planning.plan(key), planning.plan(value)] as const);
  const noKey = faultAt(planning, node, 'a key is no text, or stands twice');
  return (frame) => {
    const members = new Map<string, Value>();
    for (const [runKey, run] of runs) {
      const key = runKey(frame);
      if (key instanceof Fault) return key;
      const value = run(frame);
      if (value instanceof Fault) return value;
      if (typeof key !== 'string' || members.has(key)) return noKey;
      members.set(key, value);
    }
    return new Dict(members);
  };
}

export function planNot(node: ASTNode & { readonly op: '!_' }, planning: Planning): Run {
  return planUnary(node, node.args, planning, (value) => (typeof value === 'boolean' ? !value : undefined));
}

export function planMinus(node: ASTNode & { readonly op: '-_' }, planning: Planning): Run {
  const { op, args } = node.args;
  // The least int has no positive counterpart.
  if (op === 'value' && typeof args === 'bigint') return planLiteral(node, -args, planning);
  return planUnary(node, node.args, planning, negate);
}

/** Undefined from `apply`: no such thing for a value of this type. */
export function planUnary(
  node: ASTNode,
  operand: ASTNode,
  planning: Planning,
  apply: (value: Value) => Value | Fault | undefined,
): Run {
  const run = planning.plan(operand);
  const mistyped = faultAt(planning, node, 'is not there for a value of this type');
  return (frame) => {
    const value = run(frame);
    if (value instanceof Fault) return value;
    const result = apply(value);
    return result === undefined ? mistyped : placed(result, node, planning);
  };
}

type BinaryNode = ASTNode & { readonly args: readonly [ASTNode, ASTNode] };

export function planBinary(node: BinaryNode, planning: Planning, apply: Binary): Run {
  const [left, right] = node.args;
  const [runLeft, runRight] = [planning.plan(left), planning.plan(right)];
  const mistyped = faultAt(planning, node, 'is not there for values of these types');
  return (frame) => {
    const a = runLeft(frame);
    if (a instanceof Fault) return a;
    const b = runRight(frame);
    if (b instanceof Fault) return b;
    const result = apply(a, b, frame);
    return result === undefined ? mistyped : placed(result, node, planning);
  };
}

/** A fault of an operation gets the place at which it happened. */
export function placed(result: Value | Fault, node: ASTNode, planning: Planning): Value | Fault {
  return result instanceof Fault && !result.final ? faultAt(planning, node, result.detail) : result;
}

export const binaries: Readonly<Record<string, Binary>> = {
  ...arithmetic,
  '==': equals,
  '!=': (a, b, frame) => {
    const same = equals(a, b, frame);
    return typeof same === 'boolean' ? !same : same;
  },
  '<': inOrder((difference) => difference < 0),
  '<=': inOrder((difference) => difference <= 0),
  '>': inOrder((difference) => difference > 0),
  '>=': inOrder((difference) => difference >= 0),
};

function inOrder(holds: (difference: number) => boolean): Binary {
  return (a, b, frame) => {
    const difference = order(a, b, frame);
    return typeof difference === 'number' ? holds(difference) : difference;
  };
}

/** `&&` and `||`: the operand that settles it does so though the other has no value (CEL's commutative logic). */
export function planLogic(node: BinaryNode, planning: Planning, settled: boolean): Run {
  const [left, right] = node.args;
  const [runLeft, runRight] = [planning.plan(left), planning.plan(right)];
  const noBool = faultAt(planning, node, 'joins what is not true or false');
  return (frame) => {
    const a = runLeft(frame);
    if (a === settled || (a instanceof Fault && a.final)) return a;
    const b = runRight(frame);
    if (b === settled || (b instanceof Fault && b.final)) return b;
    if (a instanceof Fault) return a;
    if (b instanceof Fault) return b;
    return typeof a === 'boolean' && typeof b === 'boolean' ? !settled : noBool;
  };
}

export function planChoice(node: ASTNode & { readonly op: '?:' }, planning: Planning): Run {
  const [condition, yes, no] = node.args;
  const [run, runYes, runNo] = [planning.plan(condition), planning.plan(yes), planning.plan(no)];
  const noBool = faultAt(planning, condition, 'is not true or false');
  return (frame) => {
    const value = run(frame);
    if (value === true) return runYes(frame);
    if (value === false) return runNo(frame);
    return value instanceof Fault ? value : noBool;
  };
}
