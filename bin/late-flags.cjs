'use strict';
// What the executable's loader sets once the start is over, and why: tools/build/loader.cjs. A test holds them together.
const { setFlagsFromString } = require('node:v8');

const lateFlags = ['--heap-growing-percent=10', '--no-maglev', '--invocation-count-for-turbofan=1000'];
setTimeout(() => lateFlags.forEach(setFlagsFromString), 1_000).unref();
