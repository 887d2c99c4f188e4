'use strict';
// The executable's main file: runs the bundle that lies in it as an asset, with the code cache made for it.
// Node's own `useCodeCache` holds only what is compiled before anything runs; this one, what a start and a request
// compiled (warm-up.cjs). It also lets parts of the bundle wait until they are asked for.
const { subscribe } = require('node:diagnostics_channel');
const { getRawAsset } = require('node:sea');
const { setFlagsFromString } = require('node:v8');
const { Script } = require('node:vm');

const loaded = new Map();

/** What the bundle sees as `require`: Node's own modules, and the parts that lie beside it. */
function requirePart(name) {
  if (!name.startsWith('./')) return require(name);
  const part = name.slice('./'.length);
  let module = loaded.get(part);
  if (module === undefined) {
    module = { exports: {} };
    loaded.set(part, module);
    compile(part).runInThisContext()(module.exports, requirePart, module);
  }
  return module.exports;
}

function compile(part) {
  // Latin-1, because the bundler writes ASCII: V8 then keeps one byte a character.
  const source = Buffer.from(getRawAsset(part)).latin1Slice();
  // The wrapper around a part is its first line; line numbers are those of the file without it.
  const script = new Script(source, { filename: part, lineOffset: -1, cachedData: findCache(part) });
  if (script.cachedDataRejected) process.emitWarning('the code cache does not fit this runtime: this start is slow');
  return script;
}

function findCache(part) {
  try {
    return Buffer.from(getRawAsset(`${part}.cache`));
  } catch {
    return undefined;
  }
}

requirePart('./jwtgate.cjs');

// Once the start is over, and not among the executable's own flags: V8 refuses the code caches that Node has built in when
// these are other ones, and a start would take 17 ms of CPU more.
const lateFlags = [
  '--heap-growing-percent=10', // The old generation grows less.
  '--no-maglev', // One optimising compiler instead of two: ten megabytes less,
  '--invocation-count-for-turbofan=1000', // where the other does not wait until a function was called 3,000 times.
];
const setLateFlags = () => {
  for (const flag of lateFlags) setFlagsFromString(flag);
};
// Before the first request: what that compiler once took stays. Worker processes listen to nobody, hence the timer.
subscribe('tracing:net.server.listen:asyncEnd', setLateFlags);
setTimeout(setLateFlags, 1_000).unref();
