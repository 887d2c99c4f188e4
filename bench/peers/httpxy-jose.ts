import { Agent, createServer } from 'node:http';
import { createProxyServer } from 'httpxy';
import { createVerifier, readPeerOptions } from './verifier.ts';

/** The same as http-proxy-jose.ts with the maintained line of http-proxy that jwtgate's node lane uses. */
const options = readPeerOptions();
const verify = createVerifier(options);
const agent = new Agent({ keepAlive: true, maxSockets: 256 });
const proxy = createProxyServer({ target: `http://127.0.0.1:${options.upstreamPort}`, agent });

createServer({ keepAliveTimeout: 600_000 }, async (request, response) => {
  if (await verify(request)) proxy.web(request, response).catch(() => response.destroy());
  else response.writeHead(401, { 'content-length': 0 }).end();
}).listen(options.port, '127.0.0.1', 4096);
