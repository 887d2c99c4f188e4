import type { ASTNode } from '@marcbachmann/cel-js';
import { type Frame, outOfSteps, type Run, spend } from './frame.ts';
import { countNodes, faultAt, type Planning, refuseNode } from './planning.ts';
import { typeNames } from './type-names.ts';
import { Fault, isList, isMap, itemOf, List, namesOf, sizeOfList, type Value } from './value.ts';

/* The macros that go through a list, or the names of a map: the only way to do more than the expression is long. */

/** Told of each item; anything but undefined ends the loop and is its value. */
interface Round {
  readonly next: (item: Value, frame: Frame) => Value | Fault | undefined;
  readonly end: () => Value | Fault;
}

/** Begins a loop: its bodies are what stands behind the variable. */
type Loop = (bodies: readonly Run[], noBool: Fault) => Round;

/** Any (for all: none) settles it; a body without a value counts only where nothing else does. */
const quantifier =
  (settling: boolean): Loop =>
  ([body], noBool) => {
    let fault: Fault | undefined;
    return {
      next: (_item, frame) => {
        const value = (body as Run)(frame);
        if (value === settling) return settling;
        if (value === !settling) return undefined;
        if (value instanceof Fault && value.final) return value;
        fault ??= value instanceof Fault ? value : noBool;
        return undefined;
      },
      end: () => fault ?? !settling,
    };
  };

const existsOne: Loop = ([body], noBool) => {
  let count = 0;
  return {
    next: (_item, frame) => {
      const value = (body as Run)(frame);
      if (typeof value !== 'boolean') return value instanceof Fault ? value : noBool;
      if (value) count++;
      return undefined;
    },
    end: () => count === 1,
  };
};

const gather =
  (of: (bodies: readonly Run[]) => { readonly filter: Run | undefined; readonly transform: Run | undefined }): Loop =>
  (bodies, noBool) => {
    const { filter, transform } = of(bodies);
    const items: Value[] = [];
    return {
      next: (item, frame) => {
        const wanted = filter === undefined || filter(frame);
        if (typeof wanted !== 'boolean') return wanted instanceof Fault ? wanted : noBool;
        if (!wanted) return undefined;
        const value = transform === undefined ? item : transform(frame);
        if (value instanceof Fault) return value;
        items.push(value);
        return undefined;
      },
      end: () => new List(items),
    };
  };

/** By name and count of bodies. */
const loops: Readonly<Record<string, Loop>> = {
  'all 1': quantifier(false),
  'exists 1': quantifier(true),
  'exists_one 1': existsOne,
  'filter 1': gather(([filter]) => ({ filter, transform: undefined })),
  'map 1': gather(([transform]) => ({ filter: undefined, transform })),
  'map 2': gather(([filter, transform]) => ({ filter, transform })),
};

/** Undefined where it is no loop. */
export function planLoop(node: ASTNode & { readonly op: 'rcall' }, planning: Planning): Run | undefined {
  const [name, receiver, [variable, ...bodies]] = node.args;
  const key = `${name} ${bodies.length}`;
  const begin = Object.hasOwn(loops, key) ? loops[key] : undefined;
  if (begin === undefined || variable === undefined) return undefined;
  if (variable.op !== 'id') return refuseNode(planning, variable, 'must be a name for the items');
  const taken = Object.hasOwn(planning.vocabulary, variable.args) || Object.hasOwn(typeNames, variable.args);
  if (taken) return refuseNode(planning, variable, `${variable.args} means something else already: take another name`);
  const over = planning.plan(receiver);
  const slot = planning.findings.slots++;
  const inner = planning.within(variable.args, slot);
  const runs = bodies.map(inner.plan);
  const stepsARound = bodies.reduce((sum, body) => sum + countNodes(body), 1);
  const noBool = faultAt(planning, bodies[0] as ASTNode, 'is not true or false');
  const noRange = faultAt(planning, receiver, 'is no list and no map');
  return (frame) => {
    const range = over(frame);
    if (range instanceof Fault) return range;
    const items = itemsOf(range);
    if (items === undefined) return noRange;
    // To name a map's members takes its time, even where the first of them ends the loop.
    if (!isList(range) && !spend(frame, items.size)) return outOfSteps;
    const { next, end } = begin(runs, noBool);
    for (let index = 0; index < items.size; index++) {
      if (!spend(frame, stepsARound)) return outOfSteps;
      const item = items.at(index);
      frame.slots[slot] = item;
      const result = next(item, frame);
      if (result !== undefined) return result;
    }
    return end();
  };
}

function itemsOf(range: Value): { readonly size: number; readonly at: (index: number) => Value } | undefined {
  if (isList(range)) return { size: sizeOfList(range), at: (index) => itemOf(range, index) };
  if (!isMap(range)) return undefined;
  const names = namesOf(range);
  return { size: names.length, at: (index) => names[index] as string };
}
