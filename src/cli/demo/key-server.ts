import { createServer, type Server } from 'node:http';

/** Stands for an identity provider: it publishes one key set and has nothing else. */
export function createKeyServer(keySet: object): Server {
  const body = JSON.stringify(keySet);
  return createServer((request, response) => {
    request.resume();
    const found = request.method === 'GET' && request.url === '/.well-known/jwks.json';
    response.writeHead(found ? 200 : 404, found ? { 'Content-Type': 'application/jwk-set+json' } : {});
    response.end(found ? body : undefined);
  });
}
