import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

export interface ScriptedRedis {
  readonly port: number;
  /** Every command that came, its words joined. */
  readonly commands: string[];
  readonly connections: Socket[];
  [Symbol.asyncDispose](): Promise<void>;
}

/** What a server answers to a command: bytes as they are; undefined: as Redis would to a client that connects. */
export type Script = (words: readonly string[], socket: Socket) => string | undefined;

const hello = '%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:3\r\n';

/** Speaks RESP and says what the script says: for what no real Redis does. */
export async function scriptedRedis(script: Script): Promise<ScriptedRedis> {
  const commands: string[] = [];
  const connections: Socket[] = [];
  const server = createServer((socket) => {
    connections.push(socket);
    socket.on('error', () => {});
    let pending = '';
    socket.on('data', (chunk: Buffer) => {
      pending += chunk.toString('latin1');
      for (let read = readCommand(pending); read !== undefined; read = readCommand(pending)) {
        pending = pending.slice(read.length);
        commands.push(read.words.join(' '));
        const usual = read.words[0] === 'HELLO' ? hello : '+OK\r\n';
        socket.write(script(read.words, socket) ?? usual, 'latin1');
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    commands,
    connections,
    async [Symbol.asyncDispose]() {
      for (const socket of connections) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function readCommand(text: string): { readonly words: string[]; readonly length: number } | undefined {
  const head = /^\*(\d+)\r\n/.exec(text);
  if (head === null) return undefined;
  let at = head[0].length;
  const words: string[] = [];
  for (let word = 0; word < Number(head[1]); word++) {
    const size = /^\$(\d+)\r\n/.exec(text.slice(at));
    if (size === null) return undefined;
    at += size[0].length;
    if (text.length < at + Number(size[1]) + 2) return undefined;
    words.push(text.slice(at, at + Number(size[1])));
    at += Number(size[1]) + 2;
  }
  return { words, length: at };
}
