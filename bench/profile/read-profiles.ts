import { readFileSync } from 'node:fs';
import type { CallFrame, Sample } from './attribute.ts';

interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: CallFrame;
    readonly children?: readonly number[];
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Microseconds by stack, from V8's CPU profile: a flat tree, and the node that each sample found on top. */
export function readCpuProfile(file: string): Sample[] {
  const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(file, 'utf8')) as CpuProfile;
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)));
  const spentUs = new Map<number, number>();
  for (const [i, id] of samples.entries()) spentUs.set(id, (spentUs.get(id) ?? 0) + (timeDeltas[i] ?? 0));
  return [...spentUs].map(([top, amount]) => {
    const stack: CallFrame[] = [];
    for (let id: number | undefined = top; id !== undefined; id = parents.get(id)) {
      const node = byId.get(id);
      if (node !== undefined) stack.unshift(node.callFrame);
    }
    return { stack, amount };
  });
}

interface AllocationNode {
  readonly callFrame: CallFrame;
  readonly selfSize: number;
  readonly children: readonly AllocationNode[];
}

/** Bytes by stack, from V8's sampling heap profile. */
export function readAllocationProfile(file: string): Sample[] {
  const { head } = JSON.parse(readFileSync(file, 'utf8')) as { head: AllocationNode };
  const samples: Sample[] = [];
  const visit = (node: AllocationNode, above: readonly CallFrame[]): void => {
    const stack = [...above, node.callFrame];
    samples.push({ stack, amount: node.selfSize });
    for (const child of node.children) visit(child, stack);
  };
  visit(head, []);
  return samples;
}
