import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cipherSuite } from '../certificate.ts';
import { findExecutable } from '../machine.ts';
import { findFreePorts } from '../ports.ts';
import { startProcess, waitForPort } from '../processes.ts';
import { type Algorithm, algorithms, audience, type Credentials, issuer } from '../tokens.ts';
import type { Bench, RunningTarget, Target, Transport } from './target.ts';

/** HAProxy has no EdDSA. */
const verifies = algorithms.filter((algorithm) => algorithm !== 'EdDSA');

/** The least that can be called verification: the signature, with the algorithm fixed by the config. */
export const haproxy: Target = {
  name: 'haproxy',
  work: 'signature only (jwt_verify); no claim is read, no header changed, no access log',
  verifies,
  guards: true,
  checksExpiry: false,
  subjectHeader: undefined,
  compilesAsItRuns: false,
  speaksTls: true,
  findObstacle,
  start: (bench, transport = 'tcp') => startHaproxy(haproxy, bench, checkSignature, transport),
};

/** The same job as jwtgate, as far as HAProxy's language says it. */
export const haproxyClaims: Target = {
  name: 'haproxy-claims',
  work: 'signature, algorithm, exp, iss, aud; identity headers removed and set; no access log',
  verifies,
  guards: true,
  checksExpiry: true,
  subjectHeader: 'x-jwt-subject',
  compilesAsItRuns: false,
  speaksTls: false,
  findObstacle,
  start: (bench) => startHaproxy(haproxyClaims, bench, checkEverything, 'tcp'),
};

function findObstacle(): string | undefined {
  return findExecutable('haproxy') === undefined ? 'not installed' : undefined;
}

function checkSignature({ algorithm, secret, keyFile }: Credentials): string {
  const key = secret ?? keyFile;
  return `  http-request deny deny_status 401 unless { http_auth_bearer,jwt_verify("${algorithm}","${key}") -m int 1 }`;
}

function checkEverything(credentials: Credentials): string {
  return `  http-request del-header X-Jwt-Subject
  http-request del-header X-Jwt-Tenant
  http-request del-header X-User-Email
  http-request set-var(txn.bearer) http_auth_bearer
  http-request deny deny_status 401 unless { var(txn.bearer),jwt_header_query('$.alg') -m str ${credentials.algorithm} }
${checkSignature(credentials)}
  http-request set-var(txn.exp) var(txn.bearer),jwt_payload_query('$.exp','int')
  http-request set-var(txn.now) date()
  http-request deny deny_status 401 if { var(txn.exp),sub(txn.now) -m int lt 0 }
  http-request deny deny_status 401 unless { var(txn.bearer),jwt_payload_query('$.iss') -m str ${issuer} }
  http-request deny deny_status 401 unless { var(txn.bearer),jwt_payload_query('$.aud') -m str ${audience} }
  http-request set-header X-Jwt-Tenant ${credentials.algorithm.toLowerCase()}
  http-request set-header X-Jwt-Subject %[var(txn.bearer),jwt_payload_query('$.sub')]
  http-request set-header X-User-Email %[var(txn.bearer),jwt_payload_query('$.email')]`;
}

async function startHaproxy(
  target: Target,
  bench: Bench,
  check: (credentials: Credentials) => string,
  transport: Transport,
): Promise<RunningTarget> {
  const free = await findFreePorts(verifies.length);
  const ports = new Map<Algorithm, number>(verifies.map((algorithm, i) => [algorithm, free[i] as number]));
  const configFile = join(bench.directory, `${target.name}-${transport}.cfg`);
  const tls = transport === 'tls' ? ` ssl crt ${bench.certificate.bothFile} alpn h2,http/1.1` : '';
  const frontends = [...ports].map(
    ([algorithm, port]) => `
frontend ${algorithm}
  bind 127.0.0.1:${port}${tls} backlog 4096
${check(bench.credentials[algorithm])}
  default_backend service`,
  );
  writeFileSync(configFile, `${general}${frontends.join('\n')}\n\n${writeBackend(bench.upstreamPort)}`);

  const begin = performance.now();
  const running = startProcess({
    command: findExecutable('haproxy') as string,
    args: ['-db', '-f', configFile],
    cores: bench.cores?.proxy,
  });
  await waitForPort(free[0] as number, running);
  return {
    target,
    pid: running.pid,
    startMs: performance.now() - begin,
    port: (algorithm) => ports.get(algorithm) ?? 0,
    stop: () => running.stop(),
  };
}

const general = `global
  nbthread 1
  maxconn 10200
  no strict-limits
  ssl-default-bind-ciphersuites ${cipherSuite}

defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 60s
  timeout http-keep-alive 600s
  http-reuse always
`;

function writeBackend(port: number): string {
  return `backend service
  server one 127.0.0.1:${port} pool-max-conn 128
`;
}
