import { createServer } from 'node:http';
import { echoedHeaders, largeBodyBytes, smallBody } from './upstream.ts';

/** Stands in for nginx as the upstream where nginx is missing. */
const large = Buffer.alloc(largeBodyBytes, 'l');
const small = Buffer.from(smallBody);

createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
  const url = request.url ?? '';
  let body: Buffer | string = small;
  if (url.endsWith('/large')) body = large;
  if (url.endsWith('/echo')) body = echoedHeaders.map((name) => `${name}=${request.headers[name] ?? ''}`).join('\n');
  request.resume();
  request.once('end', () => {
    response.writeHead(200, { 'content-type': 'text/plain', 'content-length': Buffer.byteLength(body) }).end(body);
  });
}).listen(Number(process.argv[2]), '127.0.0.1');
