// Listens on the unix socket of its first argument until it is killed.
import { createServer } from 'node:net';

createServer().listen({ path: process.argv[2] }, () => process.send?.('listening'));
