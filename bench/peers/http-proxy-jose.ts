import { Agent, createServer } from 'node:http';
import httpProxy from 'http-proxy';
import { createVerifier, readPeerOptions } from './verifier.ts';

/** The plain alternative: http-proxy behind jose, as blog posts show it, with a keep-alive agent. */
const options = readPeerOptions();
const verify = createVerifier(options);
const agent = new Agent({ keepAlive: true, maxSockets: 256 });
const proxy = httpProxy.createProxyServer({ target: `http://127.0.0.1:${options.upstreamPort}`, agent });
proxy.on('error', (_error, _request, response) => void response.writeHead(502).end());

createServer({ keepAliveTimeout: 600_000 }, async (request, response) => {
  if (await verify(request)) proxy.web(request, response);
  else response.writeHead(401, { 'content-length': 0 }).end();
}).listen(options.port, '127.0.0.1', 4096);
