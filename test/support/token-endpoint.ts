import { once } from 'node:events';
import * as http from 'node:http';
import * as https from 'node:https';
import type { AddressInfo } from 'node:net';
import type { CertificateAndKey } from './certificates.ts';

export interface SeenTokenRequest {
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly headers: http.IncomingHttpHeaders;
  readonly form: URLSearchParams;
}

export type TokenAnswer = (request: SeenTokenRequest, response: http.ServerResponse) => void;

export interface TestTokenEndpoint extends AsyncDisposable {
  readonly url: URL;
  readonly seen: readonly SeenTokenRequest[];
  answer: TokenAnswer;
}

/** Answers with this JSON; status 200 unless told otherwise. */
export function json(body: unknown, status = 200, headers: http.OutgoingHttpHeaders = {}): TokenAnswer {
  return (_, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };
}

/** Grants "at-1", "at-2", … in the order of the requests. */
export function granting(members: Record<string, unknown> = { expires_in: 3600 }): TokenAnswer {
  let granted = 0;
  return (request, response) => {
    granted++;
    json({ access_token: `at-${granted}`, token_type: 'Bearer', ...members })(request, response);
  };
}

/** A real token endpoint on loopback that answers as it is told. */
export async function startTokenEndpoint(answer: TokenAnswer, tls?: CertificateAndKey): Promise<TestTokenEndpoint> {
  const seen: SeenTokenRequest[] = [];
  const handle = (incoming: http.IncomingMessage, response: http.ServerResponse) => {
    let body = '';
    incoming.setEncoding('utf8');
    incoming.on('data', (chunk: string) => {
      body += chunk;
    });
    incoming.on('end', () => {
      const { method, url: path, headers } = incoming;
      const request = { method, path, headers, form: new URLSearchParams(body) };
      seen.push(request);
      endpoint.answer(request, response);
    });
  };
  const server = tls === undefined ? http.createServer(handle) : https.createServer({ ...tls }, handle);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const endpoint: TestTokenEndpoint = {
    url: new URL(tls === undefined ? `http://127.0.0.1:${port}/token` : `https://localhost:${port}/token`),
    seen,
    answer,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return endpoint;
}
