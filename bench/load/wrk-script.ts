import { frameRequest, type LoadSpec } from './load.ts';

/**
 * Lua for one wrk thread: whole requests are built before the clock starts, so that choosing the next one is an array
 * look-up. `done` prints the LoadResult as one line of JSON.
 */
export function writeWrkScript(spec: LoadSpec): string {
  const { before, after } = frameRequest(spec);
  const use = spec.tokens;
  const from = use.kind === 'forge' ? 0 : use.from;
  const count = use.kind === 'forge' ? 1 : use.count;
  return `
local requests, n, i = {}, 0, 0
local before, after = ${quote(before)}, ${quote(after)}

function init()
  local line = 0
  for token in io.lines(${quote(spec.credentials.poolFile)}) do
    line = line + 1
    if line > ${from + count} then break end
    if line > ${from} then n = n + 1; requests[n] = ${use.kind === 'forge' ? 'token' : 'before .. token .. after'} end
  end
  math.randomseed(os.time())
${use.kind === 'forge' ? forgeSetup : ''}end

${nextRequest[use.kind]}
${spec.pauseMs === undefined ? '' : writeDelay(spec.pauseMs)}
function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '{"requests":%d,"durationMs":%.3f,"p50Ms":%.3f,"p99Ms":%.3f,"refused":%d,"socketErrors":%d}\\n',
    summary.requests, summary.duration / 1000, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    e.status, e.connect + e.read + e.write + e.timeout))
end
`;
}

/** The counter goes 20 characters into the signature: far from its last character, whose spare bits must stay zero. */
const forgeSetup = `
  local cut = requests[1]:find("%.[^.]*$") + 20
  before = before .. requests[1]:sub(1, cut)
  after = requests[1]:sub(cut + 9) .. after
`;

/** With `once`, SIGINT wakes wrk's main thread, which else sleeps the full duration and would report it as elapsed. */
const nextRequest = {
  cycle: `
function request()
  i = i % n + 1
  return requests[i]
end`,
  once: `
local ffi = require("ffi")
ffi.cdef("int kill(int pid, int signal); int getpid(void);")
function request()
  if i < n then
    i = i + 1
  else
    wrk.thread:stop()
    ffi.C.kill(ffi.C.getpid(), 2)
  end
  return requests[i]
end`,
  forge: `
function request()
  i = i + 1
  return before .. string.format("%08d", i) .. after
end`,
} as const;

/** Evenly spread pauses, so that connections don't march in step. */
function writeDelay(meanMs: number): string {
  return `
function delay()
  return math.random(0, ${Math.max(1, Math.round(2 * meanMs))})
end
`;
}

/** A Lua string literal; Lua and JSON agree on the escapes that occur here. */
function quote(text: string): string {
  return JSON.stringify(text);
}
