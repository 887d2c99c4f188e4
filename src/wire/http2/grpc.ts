import type { Answer, Refused } from '../../gate/decision.ts';
import { reasons } from '../../gate/reasons.ts';
import { headerValues, type RequestHead } from '../../gate/request-head.ts';

/** gRPC's codes by HTTP status, as its mapping (grpc/doc/http-grpc-status-mapping.md) has them; others are unknown. */
const grpcStatus: Readonly<Record<number, number>> = {
  400: 13, // INTERNAL
  401: 16, // UNAUTHENTICATED
  403: 7, // PERMISSION_DENIED
  404: 12, // UNIMPLEMENTED
  429: 14, // UNAVAILABLE
  502: 14,
  503: 14,
  504: 14,
};
const unknownStatus = 2;

/** Does the client speak gRPC, so that it looks for a grpc-status and at no body? gRPC-Web is HTTP like other. */
export function speaksGrpc(head: Pick<RequestHead, 'headers'>): boolean {
  return headerValues(head, 'content-type').some((type) => /^application\/grpc(?:[+;]|$)/i.test(type));
}

/**
 * A refusal that a gRPC client understands: headers alone, with the status in them (trailers-only). The log and the
 * metrics have it by its HTTP status, like others.
 */
export function grpcRefusal({ status, reason, headers }: Refused): Pick<Answer, 'status' | 'headers' | 'body'> {
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = (headers[i] as string).toLowerCase();
    if (name !== 'content-type') kept.push(name, headers[i + 1] as string);
  }
  const code = String(grpcStatus[status] ?? unknownStatus);
  // Plain ASCII without "%": nothing to be percent-encoded.
  const message = reasons[reason].text;
  return {
    status: 200,
    headers: ['content-type', 'application/grpc', 'grpc-status', code, 'grpc-message', message, ...kept],
    body: '',
  };
}
