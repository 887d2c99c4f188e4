'use strict';
// `node warm-up.cjs FOLDER`: runs FOLDER/jwtgate.cjs.part through a start and a few requests, and writes V8's cache of
// what that compiled to FOLDER/jwtgate.cjs.part.cache. The same part gives the same bytes, however fast the machine:
// the clock that the code reads stands still, and nothing is optimised or forgotten meanwhile.
const { createHmac } = require('node:crypto');
const { readFileSync, writeFileSync } = require('node:fs');
const http = require('node:http');
const { createServer } = require('node:net');
const { join } = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const { setFlagsFromString } = require('node:v8');
const { Script } = require('node:vm');

const [, , folder] = process.argv;
const secret = 'a secret of the warm-up, and of no use elsewhere';
// Flags are part of what a cache is checked for: they have to be back when it is made.
const unsteady = ['flush-bytecode', 'sparkplug', 'maglev', 'turbofan', 'profile-guided-optimization'];

async function main() {
  for (const flag of unsteady) setFlagsFromString(`--no-${flag}`);
  stopTheClock();
  const upstream = await startUpstream();
  const config = writeConfig(upstream.address().port);
  const started = nextLogLine('started');
  const script = new Script(readFileSync(join(folder, 'jwtgate.cjs.part'), 'latin1'), {
    filename: 'jwtgate.cjs',
    lineOffset: -1,
  });
  process.argv.splice(1, Number.POSITIVE_INFINITY, process.execPath, 'run', '-c', config);
  const module = { exports: {} };
  script.runInThisContext()(module.exports, require, module);
  const { proxy, ops } = await started;
  await askAll(proxy, ops);
  for (const flag of unsteady) setFlagsFromString(`--${flag}`);
  writeFileSync(join(folder, 'jwtgate.cjs.part.cache'), script.createCachedData());
  process.exit(0);
}

/** What runs only where time passes would be in the cache of a slow machine, and not of a fast one. */
function stopTheClock() {
  const { setInterval, setTimeout } = globalThis;
  const neverMs = 2 ** 31 - 1;
  performance.now = () => 1;
  globalThis.setInterval = (callback) => setInterval(callback, neverMs);
  // But for the moment that a log line waits for others.
  globalThis.setTimeout = (callback, ms, ...args) => setTimeout(callback, ms < 100 ? ms : neverMs, ...args);
}

/** Long enough for all that is under way on this machine to come to its end. */
const quietMs = 100;

/** What every process meets in its first seconds. */
async function askAll(proxy, ops) {
  const good = { Authorization: `Bearer ${mint({ sub: 'alice', exp: 4_000_000_000 })}` };
  const expectations = [
    [ops, '/readyz', {}, 200],
    [proxy, '/', good, 200],
    [proxy, '/', good, 200], // Now the verdict is known.
    [proxy, '/', { Authorization: `${good.Authorization}x` }, 401],
    [ops, '/metrics', {}, 200],
  ];
  for (const [address, path, headers, expected] of expectations) {
    const status = await ask(address, path, headers);
    // The client may have its answer before the other side has noticed that it left.
    await sleep(quietMs);
    if (status !== expected) throw new Error(`the warm-up asked for ${path} and got ${status}`);
  }
}

function startUpstream() {
  const server = createServer((socket) => {
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n'));
    socket.on('error', () => {});
  });
  return new Promise((listening) => server.listen(0, '127.0.0.1', () => listening(server)));
}

function writeConfig(port) {
  writeFileSync(join(folder, 'warm-up.secret'), secret, { mode: 0o600 });
  const lines = [
    'listen: 127.0.0.1:0',
    'ops: 127.0.0.1:0',
    `upstream: http://127.0.0.1:${port}`,
    'tenants:',
    '  warm: {secret: {file: warm-up.secret}, algorithms: [HS256], headers: {X-User-Id: "${claims.sub}"}}',
  ];
  writeFileSync(join(folder, 'warm-up.yaml'), `${lines.join('\n')}\n`);
  // The folder by another name, as whether its own is all ASCII and how long it is are seen in the cache.
  process.chdir(folder);
  return '/proc/self/cwd/warm-up.yaml';
}

/** Resolves with the first log line that says so. */
function nextLogLine(message) {
  const write = process.stdout.write.bind(process.stdout);
  return new Promise((resolve) => {
    process.stdout.write = (chunk, ...rest) => {
      for (const line of String(chunk).split('\n').filter(Boolean)) {
        const fields = JSON.parse(line);
        if (fields.msg === message) setImmediate(resolve, fields);
      }
      return write(chunk, ...rest);
    };
  });
}

function mint(claims) {
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const content = `${encode({ alg: 'HS256' })}.${encode(claims)}`;
  return `${content}.${createHmac('sha256', secret).update(content).digest('base64url')}`;
}

function ask(address, path, headers) {
  const [hostname, port] = address.split(':');
  return new Promise((resolve, reject) => {
    const request = http.get({ hostname, port, path, headers, agent: false }, (answer) => {
      answer.resume().on('end', () => resolve(answer.statusCode));
    });
    request.on('error', reject);
  });
}

main();
