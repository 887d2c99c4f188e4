import type { Issued, Signing } from '../gate/send.ts';
import type { Signer, SignResult } from './compile-signer.ts';
import type { Authorization, Grant } from './grant.ts';

/** Where the token goes: `into` of the config. A header without scheme holds the bare token. */
export type Into = { readonly header: string; readonly scheme?: string | undefined } | { readonly query: string };

/** RFC 6750 section 2.1. */
export const defaultInto: Into = { header: 'Authorization', scheme: 'Bearer' };

/** What the gate needs of one `sign`: the token itself, or with a grant the access token that it is exchanged for. */
export function signingOf(signer: Signer, into: Into, grant?: Grant): Signing {
  const { readsClaims } = signer;
  const issue = grant === undefined ? issueSigned(signer) : issueGranted(grant);
  if ('query' in into) {
    return { readsClaims, into: { kind: 'query', name: into.query }, name: into.query, scheme: undefined, issue };
  }
  const { header: name, scheme } = into;
  const location = { kind: 'header', name: name.toLowerCase(), scheme: scheme?.toLowerCase() } as const;
  return { readsClaims, into: location, name, scheme, issue };
}

function issueSigned(signer: Signer): Signing['issue'] {
  const asIssued = (result: SignResult): Issued =>
    result.kind === 'signed' ? { kind: 'issued', token: result.token } : result;
  return (values, nowMs) => {
    const result = signer.sign(values, nowMs);
    return result instanceof Promise ? result.then(asIssued) : asIssued(result);
  };
}

function issueGranted(grant: Grant): Signing['issue'] {
  return (values) => {
    const asIssued = (result: Authorization): Issued => {
      if (result.kind === 'failed') return result;
      const { accessToken } = result;
      return { kind: 'issued', token: accessToken, rejected: () => grant.invalidate(values, accessToken) };
    };
    const result = grant.authorize(values);
    return result instanceof Promise ? result.then(asIssued) : asIssued(result);
  };
}
