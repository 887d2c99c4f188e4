'use strict';
// What the executable's loader sets once the start is over, and why: tools/build/loader.cjs. A test holds them together.
const { subscribe } = require('node:diagnostics_channel');
const { setFlagsFromString } = require('node:v8');

const lateFlags = ['--heap-growing-percent=10', '--no-maglev', '--invocation-count-for-turbofan=1000'];
const setLateFlags = () => {
  for (const flag of lateFlags) setFlagsFromString(flag);
};
subscribe('tracing:net.server.listen:asyncEnd', setLateFlags);
setTimeout(setLateFlags, 1_000).unref();
