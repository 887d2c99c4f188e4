import { mostSteps } from './bounds.ts';
import { Fault, type Value } from './value.ts';

/** One evaluation under way. */
export interface Frame {
  /** What the variables are read from. */
  readonly input: unknown;
  /** Values of loop variables. */
  readonly slots: Value[];
  stepsLeft: number;
}

/** A compiled sub-expression. Faults are values: nothing is thrown. */
export type Run = (frame: Frame) => Value | Fault;

export const outOfSteps = new Fault('it takes too many steps on this request', true);

/** Begins an evaluation; `slots` is the number of its loop variables. */
export function createFrame(input: unknown, slots: number): Frame {
  return { input, slots: new Array<Value>(slots), stepsLeft: mostSteps };
}

/** Takes what an operation costs, before it is done. False: it must not be done. */
export function spend(frame: Frame, steps: number): boolean {
  frame.stepsLeft -= steps;
  return frame.stepsLeft >= 0;
}
