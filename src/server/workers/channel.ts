import type { ChildProcess, SendHandle } from 'node:child_process';
import { Socket } from 'node:net';

/** What one side may be asked: name → question and answer. */
export type Questions = { readonly [name: string]: { readonly ask: unknown; readonly answer: unknown } };

/** How one side answers. `socket`: what came with the question, if anything. */
export type Answers<Q extends Questions> = {
  readonly [Name in keyof Q]: (ask: Q[Name]['ask'], socket: Socket | undefined) => Given<Q[Name]['answer']>;
};

/** Where nothing is to be said, whatever a function returns is nothing. */
type Given<Answer> = [Answer] extends [undefined] ? unknown : Answer | Promise<Answer>;

/** The way to the process at the other end. Nothing here throws or rejects. */
export interface Channel<Theirs extends Questions> {
  /** Undefined where no answer came in time: it is away, it is too busy, or it failed. */
  ask<Name extends keyof Theirs & string>(
    name: Name,
    ask: Theirs[Name]['ask'],
    withinMs: number,
  ): Promise<Theirs[Name]['answer'] | undefined>;
  /** Asks without waiting for an answer. A socket that goes along stays open here, too. */
  tell<Name extends keyof Theirs & string>(name: Name, ask: Theirs[Name]['ask'], socket?: Socket): void;
  /** Questions that wait for their answer. */
  readonly waiting: number;
}

/** A child that has an IPC channel, or this process as such a child; both with `serialization: 'advanced'`. */
export type Port = Pick<ChildProcess, 'send' | 'on' | 'connected'>;

/** Beyond it the next are not even asked: whoever does not answer is not to be flooded. */
const mostWaiting = 10_000;

type Message =
  | { readonly kind: 'ask'; readonly name: string; readonly ask: unknown; readonly id: number }
  | { readonly kind: 'tell'; readonly name: string; readonly ask: unknown }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: unknown };

/** Opens our end; `onFault` hears of answers that failed, which is a fault of ours. */
export function openChannel<Mine extends Questions, Theirs extends Questions>(
  port: Port,
  answers: Answers<Mine>,
  onFault: (name: string, error: unknown) => void,
): Channel<Theirs> {
  const waiting = new Map<number, (answer: unknown) => void>();
  let lastId = 0;

  function send(message: Message, socket?: Socket): void {
    if (!port.connected) return;
    // A failure is the other end's going: 'disconnect' or 'close' tells of it.
    port.send(message, socket, { keepOpen: true }, () => undefined);
  }

  async function answer(name: string, ask: unknown, socket: Socket | undefined): Promise<unknown> {
    const given: unknown = await (answers[name] as Answers<Questions>[string])(ask, socket);
    return given;
  }

  function receive(message: Message, handle: SendHandle | undefined): void {
    if (message.kind === 'answer') {
      waiting.get(message.id)?.(message.answer);
      return;
    }
    const { name } = message;
    const socket = handle instanceof Socket ? handle : undefined;
    answer(name, message.ask, socket).then(
      (given) => {
        if (message.kind === 'ask') send({ kind: 'answer', id: message.id, answer: given });
      },
      (error: unknown) => {
        onFault(name, error);
        if (message.kind === 'ask') send({ kind: 'answer', id: message.id, answer: undefined });
      },
    );
  }

  port.on('message', (message, handle) => receive(message as Message, handle));
  const settleAll = () => {
    for (const settle of [...waiting.values()]) settle(undefined);
  };
  port.on('disconnect', settleAll);
  // Node tells of no 'disconnect' where the other end goes with a socket on its way.
  port.on('close', settleAll);

  return {
    ask(name, ask, withinMs) {
      if (!port.connected || waiting.size >= mostWaiting) return Promise.resolve(undefined);
      const id = ++lastId;
      return new Promise((resolve) => {
        const deadline = setTimeout(() => settle(undefined), withinMs);
        const settle = (given: unknown) => {
          clearTimeout(deadline);
          waiting.delete(id);
          resolve(given as never);
        };
        waiting.set(id, settle);
        send({ kind: 'ask', name, ask, id });
      });
    },
    tell: (name, ask, socket) => send({ kind: 'tell', name, ask }, socket),
    get waiting() {
      return waiting.size;
    },
  };
}
