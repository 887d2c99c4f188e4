/**
 * Node's http2, loaded when a listener or an upstream speaks it and not before: it is a tenth of the start for all who
 * never do.
 */
export function nodeHttp2(): typeof import('node:http2') {
  return process.getBuiltinModule('node:http2');
}
