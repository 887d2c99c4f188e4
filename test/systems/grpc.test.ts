import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { newAuthority } from '../support/certificates.ts';
import { findSample } from '../support/exposition-parser.ts';
import { endAll } from '../support/jwtgate-process.ts';
import { type RunningGate, runGate, secretOf, tokenOf } from '../support/running-gate.ts';
import { newFolder } from '../support/scratch-folder.ts';

/** Debian's python3-grpcio: gRPC as others wrote it, on both sides. */
const python = '/usr/bin/python3';
const hasGrpc = spawnSync(python, ['-c', 'import grpc']).status === 0;
const authority = newAuthority('a CA');
const run = promisify(execFile);

const serverScript = `
import grpc, json, sys, time
from concurrent import futures

class Handler(grpc.GenericRpcHandler):
    def service(self, details):
        metadata = {key: value for key, value in details.invocation_metadata if isinstance(value, str)}
        def unary(request, context):
            context.set_trailing_metadata((('x-trailer', 'last'),))
            return json.dumps({'got': request.decode(), 'metadata': metadata}).encode()
        def echo(requests, context):
            for request in requests:
                yield b'echo ' + request
        def fail(request, context):
            context.abort(grpc.StatusCode.NOT_FOUND, 'no such thing')
        def forever(request, context):
            context.add_callback(lambda: print('cancelled', flush=True))
            while context.is_active():
                yield b'tick'
                time.sleep(0.02)
        method = details.method.rsplit('/', 1)[1]
        if method == 'Unary': return grpc.unary_unary_rpc_method_handler(unary)
        if method == 'Echo': return grpc.stream_stream_rpc_method_handler(echo)
        if method == 'Fail': return grpc.unary_unary_rpc_method_handler(fail)
        if method == 'Forever': return grpc.unary_stream_rpc_method_handler(forever)

server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
server.add_generic_rpc_handlers((Handler(),))
print(server.add_insecure_port('127.0.0.1:0'), flush=True)
server.start()
server.wait_for_termination()
`;

const clientScript = `
import grpc, json, sys
port, ca, token, what = sys.argv[1:5]
credentials = grpc.ssl_channel_credentials(open(ca, 'rb').read())
channel = grpc.secure_channel('localhost:' + port, credentials)
metadata = [('authorization', 'Bearer ' + token), ('x-user-id', 'spoofed'), ('x_user_id', 'spoofed')] if token else []
timeout = 60
try:
    if what == 'unary':
        call = channel.unary_unary('/pkg.Service/Unary').with_call(b'hello', metadata=metadata, timeout=timeout)
        answer = json.loads(call[0])
        answer['trailers'] = dict(call[1].trailing_metadata())
    elif what == 'large':
        body = channel.unary_unary('/pkg.Service/Unary')(b'x' * 3_000_000, metadata=metadata, timeout=timeout)
        answer = {'length': len(json.loads(body)['got'])}
    elif what == 'echo':
        answers = channel.stream_stream('/pkg.Service/Echo')(iter([b'a', b'b', b'c']), metadata=metadata, timeout=timeout)
        answer = {'echo': [one.decode() for one in answers]}
    elif what == 'fail':
        answer = channel.unary_unary('/pkg.Service/Fail')(b'', metadata=metadata, timeout=timeout)
    elif what == 'cancel':
        stream = channel.unary_stream('/pkg.Service/Forever')(b'', metadata=metadata, timeout=timeout)
        next(stream)
        next(stream)
        stream.cancel()
        answer = {'cancelled': True}
    print(json.dumps(answer))
except grpc.RpcError as error:
    print(json.dumps({'code': error.code().name, 'details': error.details()}))
`;

describe.skipIf(!hasGrpc)('gRPC, with clients and a server of another make (needs python3-grpcio)', () => {
  const folder = newFolder();
  let server: ChildProcess;
  let serverOutput = '';
  let gate: RunningGate;

  beforeAll(async () => {
    await writeFile(join(folder, 'server.py'), serverScript);
    await writeFile(join(folder, 'client.py'), clientScript);
    await writeFile(join(folder, 'ca.pem'), authority.ca);
    const { cert, key } = authority.issue({ name: 'localhost', alternativeNames: ['localhost'] });
    await writeFile(join(folder, 'cert.pem'), cert);
    await writeFile(join(folder, 'key.pem'), key, { mode: 0o600 });
    server = spawn(python, [join(folder, 'server.py')], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(server.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
    server.stdout?.on('data', (chunk: Buffer) => {
      serverOutput += chunk.toString();
    });
    gate = await runGate(
      `
listen: {address: 127.0.0.1:0, tls: {cert: cert.pem, key: key.pem}}
ops: 127.0.0.1:0
upstream: h2c://127.0.0.1:${Number(line.toString())}
tenants:
  acme:
    secret: ${secretOf('acme')}
    headers: {x-user-id: "\${claims.sub}"}
    routes:
      - {path: /pkg.Service/Fail, claims: {role: required}}
`,
      { folder },
    );
  });
  afterEach(() => {
    serverOutput = '';
  });
  afterAll(async () => {
    server.kill('SIGKILL');
    await endAll();
  });

  const call = async (what: string, token: string) => {
    const args = [join(folder, 'client.py'), String(gate.proxyPort), join(folder, 'ca.pem'), token, what];
    const { stdout } = await run(python, args, { env: { PATH: process.env.PATH, no_proxy: '*' } });
    return JSON.parse(stdout);
  };

  test('a call arrives with its identity, and its answer with its trailers', async () => {
    const answer = await call('unary', tokenOf('acme'));
    expect(answer).toMatchObject({ got: 'hello', trailers: { 'x-trailer': 'last' } });
    expect(answer.metadata['x-user-id']).toBe('user-of-acme');
    expect(JSON.stringify(answer)).not.toContain('spoofed');
    const logged = { path: '/pkg.Service/Unary', decision: 'allow' };
    expect(await gate.process.logged('request', logged)).toMatchObject({ protocol: 'HTTP/2', lane: 'http2' });
    expect(
      findSample((await gate.ops('/metrics')).body, 'jwtgate_request_lane_total', { lane: 'http2' }),
    ).toBeGreaterThan(0);
  });

  test('messages of megabytes, and streams both ways', async () => {
    expect(await call('large', tokenOf('acme'))).toEqual({ length: 3_000_000 });
    expect(await call('echo', tokenOf('acme'))).toEqual({ echo: ['echo a', 'echo b', 'echo c'] });
  });

  test('a status of the server is that of the call', async () => {
    const token = tokenOf('acme', { role: 'admin' });
    expect(await call('fail', token)).toEqual({ code: 'NOT_FOUND', details: 'no such thing' });
  });

  test.for([
    ['no token', 'unary', '', 'UNAUTHENTICATED', 'A token is required'],
    ['a token that is none', 'unary', 'x.y.z', 'UNAUTHENTICATED', 'The token is malformed'],
    [
      'a claim that is missing',
      'fail',
      undefined,
      'PERMISSION_DENIED',
      "The token's claims do not permit this request",
    ],
  ] as const)('%s is refused in gRPC’s own way', async ([, what, token, code, details]) => {
    expect(await call(what, token ?? tokenOf('acme'))).toEqual({ code, details });
  });

  test('a call that is cancelled is cancelled at the server', async () => {
    expect(await call('cancel', tokenOf('acme'))).toEqual({ cancelled: true });
    while (!serverOutput.includes('cancelled')) await once(server.stdout as NodeJS.ReadableStream, 'data');
  });
});
