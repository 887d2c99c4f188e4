import type { ASTNode } from '@marcbachmann/cel-js';
import { includes } from './compare.ts';
import type { Run } from './frame.ts';
import { planBinary } from './plan-operators.ts';
import { faultAt, literalPath, literalText, type Planning, refuseNode } from './planning.ts';
import { typeNames } from './type-names.ts';
import { Fault, isList, isMap, itemOf, type Kind, memberOf, sizeOfList, type Value } from './value.ts';
import type { Lookup, Namespace, Variable } from './vocabulary.ts';

/* Everything that asks for a value by its name: variables, members, indexes, has() and `in`. */

type Find = ReturnType<Lookup<unknown>['find']>;

export function planName(node: ASTNode & { readonly op: 'id' }, planning: Planning): Run {
  const name = node.args;
  const slot = planning.loopVariables.get(name);
  if (slot !== undefined) return ({ slots }) => slots[slot] as Value;
  const root = rootOf(node, planning);
  if (root === undefined) {
    const typeName = Object.hasOwn(typeNames, name) ? typeNames[name as Kind] : undefined;
    return typeName === undefined ? refuseNode(planning, node, `there is no ${name} here`) : () => typeName;
  }
  if ('read' in root) return planRead(root, node, planning);
  return refuseNode(planning, node, `${name} is no value: ask for one of ${Object.keys(root.members).join(', ')}`);
}

export function planSelect(node: ASTNode & { readonly op: '.' }, planning: Planning): Run {
  const [parent, name] = node.args;
  const own = memberAt(node, planning);
  if (own !== undefined) {
    if (own.member === undefined) return refuseNode(planning, node, `there is no ${own.name} here`);
    if ('read' in own.member) {
      planning.findings.reads.add(own.name);
      return planRead(own.member, node, planning);
    }
    return refuseNode(planning, node, `can only be asked for one name: ${own.name}["name"]`);
  }
  const find = ask(parent, name, node, planning);
  if (find !== undefined) return planFound(find, node, planning);
  notePath(node, planning);
  const run = planning.plan(parent);
  const missing = faultAt(planning, node, 'is missing');
  const noMap = faultAt(planning, node, 'asks for a member of what is no map');
  return (frame) => {
    const value = run(frame);
    if (value instanceof Fault) return value;
    if (!isMap(value)) return noMap;
    const member = memberOf(value, name);
    return member === undefined ? missing : member;
  };
}

export function planIndex(node: ASTNode & { readonly op: '[]' }, planning: Planning): Run {
  const [parent, index] = node.args;
  const find = ask(parent, index, node, planning);
  if (find !== undefined) return planFound(find, node, planning);
  notePath(node, planning);
  const [run, runIndex] = [planning.plan(parent), planning.plan(index)];
  const missing = faultAt(planning, node, 'is missing');
  const noIndex = faultAt(planning, node, 'a list is indexed by an int, a map by text');
  return (frame) => {
    const value = run(frame);
    if (value instanceof Fault) return value;
    const key = runIndex(frame);
    if (key instanceof Fault) return key;
    if (isList(value)) {
      const at = typeof key === 'bigint' || typeof key === 'number' ? Number(key) : Number.NaN;
      if (!Number.isInteger(at)) return noIndex;
      return at >= 0 && at < sizeOfList(value) ? itemOf(value, at) : missing;
    }
    if (!isMap(value) || typeof key !== 'string') return noIndex;
    const member = memberOf(value, key);
    return member === undefined ? missing : member;
  };
}

/** `has(a.b)`: `a` itself must be there. */
export function planHas(argument: ASTNode, planning: Planning): Run {
  if (argument.op !== '.') return refuseNode(planning, argument, 'has() takes a member: has(claims.email)');
  const [parent, name] = argument.args;
  const own = memberAt(argument, planning);
  if (own !== undefined) {
    const { member } = own;
    if (member === undefined) return refuseNode(planning, argument, `there is no ${own.name} here`);
    if ('find' in member) return refuseNode(planning, argument, `ask for one: has(${own.name}.name)`);
    planning.findings.reads.add(own.name);
    return ({ input }) => member.read(input) !== undefined;
  }
  const find = ask(parent, name, argument, planning);
  if (find !== undefined) return planPresence(find, argument, planning);
  notePath(argument, planning);
  const run = planning.plan(parent);
  const noMap = faultAt(planning, argument, 'asks for a member of what is no map');
  return (frame) => {
    const value = run(frame);
    if (value instanceof Fault) return value;
    return isMap(value) ? memberOf(value, name) !== undefined : noMap;
  };
}

export function planIn(node: ASTNode & { readonly op: 'in' }, planning: Planning): Run {
  const [item, container] = node.args;
  const find = ask(container, item, node, planning);
  if (find !== undefined) return planPresence(find, node, planning);
  return planBinary(node, planning, (value, within, frame) => {
    if (isList(within)) return includes(within, value, frame);
    if (!isMap(within)) return undefined;
    return typeof value === 'string' && memberOf(within, value) !== undefined;
  });
}

function notePath(node: ASTNode, planning: Planning): void {
  const path = literalPath(node, planning);
  if (path !== undefined) planning.findings.paths.push(path);
}

/** A name of the vocabulary; a loop variable is none, and can't be called as one. */
function rootOf(
  node: ASTNode,
  { vocabulary, loopVariables }: Planning,
): Variable<unknown> | Namespace<unknown> | undefined {
  if (node.op !== 'id' || loopVariables.has(node.args) || !Object.hasOwn(vocabulary, node.args)) return undefined;
  return vocabulary[node.args] as Variable<unknown> | Namespace<unknown>;
}

interface OwnMember {
  /** `request.headers` */
  readonly name: string;
  /** Undefined: the namespace has no such member. */
  readonly member: Variable<unknown> | Lookup<unknown> | undefined;
}

/** The member of a namespace that a node names. */
function memberAt(node: ASTNode, planning: Planning): OwnMember | undefined {
  if (node.op !== '.') return undefined;
  const [parent, name] = node.args;
  const root = rootOf(parent, planning);
  if (root === undefined || 'read' in root) return undefined;
  const member = Object.hasOwn(root.members, name) ? root.members[name] : undefined;
  return { name: `${String(parent.args)}.${name}`, member };
}

/** Where `parent` is a lookup: what finds the name in it, which must be known beforehand. */
function ask(parent: ASTNode, name: ASTNode | string, node: ASTNode, planning: Planning): Find | undefined {
  const own = memberAt(parent, planning);
  if (own?.member === undefined || 'read' in own.member) return undefined;
  const text = typeof name === 'string' ? name : literalText(name);
  if (text === undefined) {
    refuseNode(
      planning,
      name as ASTNode,
      `must be a name in quotes: ${own.name} is only asked for what is known at load`,
    );
    return () => undefined;
  }
  planning.findings.asked.push({ of: own.name, name: text, start: node.start, end: node.end });
  return own.member.find(text);
}

function planRead({ read }: Variable<unknown>, node: ASTNode, planning: Planning): Run {
  const missing = faultAt(planning, node, 'is missing');
  return ({ input }) => {
    const value = read(input);
    return value === undefined ? missing : value;
  };
}

function planFound(find: Find, node: ASTNode, planning: Planning): Run {
  const missing = faultAt(planning, node, 'is missing');
  return ({ input }) => {
    const value = find(input);
    if (value === undefined) return missing;
    return value instanceof Fault ? faultAt(planning, node, value.detail) : value;
  };
}

function planPresence(find: Find, node: ASTNode, planning: Planning): Run {
  return ({ input }) => {
    const value = find(input);
    return value instanceof Fault ? faultAt(planning, node, value.detail) : value !== undefined;
  };
}
