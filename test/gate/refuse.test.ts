import { describe, expect, it } from 'vitest';
import { reasonNames, reasons } from '../../src/gate/reasons.ts';
import { compileErrorFormat, type ErrorFormatSpec, refuse } from '../../src/gate/refuse.ts';

const facts = { tenant: 'acme', path: '/x' };
const answer = (spec: ErrorFormatSpec, reason: keyof typeof reasons, more = {}) =>
  refuse(compileErrorFormat(spec), reason, { requestId: 'r-1', facts, detail: 'secret detail', ...more });
const headerOf = (headers: readonly string[], name: string) => headers[headers.indexOf(name) + 1];

describe('by default', () => {
  it.each(reasonNames)('%s is problem+json with its own status, and says no more than the reason', (reason) => {
    const refused = answer({ byReason: {} }, reason);
    expect(refused.status).toBe(reasons[reason].status);
    expect(headerOf(refused.headers, 'Content-Type')).toBe('application/problem+json');
    expect(headerOf(refused.headers, 'Cache-Control')).toBe('no-store');
    expect(JSON.parse(refused.body)).toEqual({
      type: `urn:jwtgate:reason:${reason}`,
      title: reasons[reason].text,
      status: reasons[reason].status,
      reason,
      requestId: 'r-1',
    });
    expect(JSON.stringify([refused.headers, refused.body])).not.toContain('secret detail');
  });

  it.each(reasonNames)('%s has the challenge of RFC 6750 that its status asks for', (reason) => {
    const { status, headers } = answer({ byReason: {} }, reason);
    const challenge = headers.includes('WWW-Authenticate') ? headerOf(headers, 'WWW-Authenticate') : undefined;
    if (status === 401) expect(challenge).toMatch(/^Bearer realm="jwtgate"/);
    // RFC 6750 section 3: a request without a token gets no error code.
    if (reason === 'tokenMissing') expect(challenge).toBe('Bearer realm="jwtgate"');
    if (reason === 'tokenExpired') expect(challenge).toContain('error="invalid_token"');
    if (reason === 'claimRefused') expect(challenge).toContain('error="insufficient_scope"');
    if (status >= 500) expect(challenge).toBeUndefined();
  });
});

describe('a tenant’s own errors', () => {
  const spec: ErrorFormatSpec = {
    byReason: { tokenExpired: { status: 401, code: 40, message: 'Token expired' }, tokenMissing: { code: 39 } },
    fallback: { status: 403, code: 38, message: 'Invalid token' },
    body: { status: '${message}', code: '${code}', why: 'because: ${reason}', id: '${request.id}', list: ['${code}'] },
  };

  it('fill the body, and a member that is one placeholder keeps its type', () => {
    const refused = answer(spec, 'tokenExpired');
    expect(refused.status).toBe(401);
    expect(refused.body).toBe(
      '{"status":"Token expired","code":40,"why":"because: tokenExpired","id":"r-1","list":[40]}',
    );
    expect(headerOf(refused.headers, 'Content-Type')).toBe('application/json');
  });

  it('fall back for other reasons, member by member', () => {
    expect(JSON.parse(answer(spec, 'signatureInvalid').body)).toMatchObject({ status: 'Invalid token', code: 38 });
    expect(JSON.parse(answer(spec, 'tokenMissing').body)).toMatchObject({ status: 'Invalid token', code: 39 });
    expect(answer(spec, 'tokenMissing').status).toBe(403);
  });

  it('leave a member out that has no value', () => {
    expect(answer({ byReason: {}, body: { code: '${code}', a: 1 } }, 'tokenExpired').body).toBe('{"a":1}');
  });

  it('may be text', () => {
    const refused = answer({ byReason: {}, body: 'no: ${message}' }, 'tokenExpired');
    expect(refused.body).toBe('no: The token has expired');
    expect(answer({ byReason: {}, body: '$$${message}: $$5' }, 'tokenExpired').body).toBe('$The token has expired: $5');
    expect(headerOf(refused.headers, 'Content-Type')).toBe('text/plain; charset=utf-8');
  });

  it('still carry a challenge where they are a 401', () => {
    expect(answer({ byReason: { requestRefused: { status: 401 } } }, 'requestRefused').headers).toContain(
      'WWW-Authenticate',
    );
  });
});

it('Retry-After is whole seconds, at least one', () => {
  expect(headerOf(answer({ byReason: {} }, 'keysUnavailable', { retryAfterS: 0.2 }).headers, 'Retry-After')).toBe('1');
  expect(headerOf(answer({ byReason: {} }, 'keysUnavailable', { retryAfterS: 29.1 }).headers, 'Retry-After')).toBe(
    '30',
  );
});

it('a status that the wire found goes before the reason’s own', () => {
  expect(answer({ byReason: {} }, 'requestRefused', { status: 431 }).status).toBe(431);
});
