import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { cachedTokens } from '../tokens.ts';
import { createAnswerReader } from './answer-reader.ts';

/** Opens connections, has one request answered on each, prints how many are still open, and keeps them so. */

const [port, path, poolFile, count] = process.argv.slice(2) as [string, string, string, string];
const tokens = readFileSync(poolFile, 'latin1').split('\n', cachedTokens);
const openAtOnce = 50;
const open = new Set<Socket>();
let started = 0;

function request(index: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(Number(port), '127.0.0.1');
    const token = tokens[index % tokens.length];
    socket.on('data', createAnswerReader(resolve as () => void));
    socket.on('error', () => resolve());
    socket.on('close', () => {
      open.delete(socket);
      resolve();
    });
    socket.once('connect', () => open.add(socket));
    socket.write(`GET ${path} HTTP/1.1\r\nHost: bench.example\r\nAuthorization: Bearer ${token}\r\n\r\n`);
  });
}

async function requestInTurn(): Promise<void> {
  while (started < Number(count)) {
    started += 1;
    await request(started);
  }
}

await Promise.all(Array.from({ length: openAtOnce }, requestInTurn));
process.stdout.write(`${open.size}\n`);
