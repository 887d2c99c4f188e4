import type { SigningKeys } from '../sign/signing-keys.ts';
import { expositionContentType } from './exposition.ts';
import { type HealthSources, readiness } from './health.ts';
import { type MetricSources, renderMetrics } from './metrics.ts';
import { type OpsAnswer, type OpsRoutes, textAnswer } from './ops-listener.ts';

/** Everything the ops listener answers. */
export function opsRoutes(
  health: HealthSources,
  metrics: () => MetricSources,
  signingKeys: Pick<SigningKeys, 'publicJwks' | 'maxAgeS'>,
): OpsRoutes {
  const ready = () => {
    const { ready, text } = readiness(health);
    return textAnswer(ready ? 200 : 503, text);
  };
  return new Map([
    // Says only that the event loop turns: an identity provider that is away must not restart pods.
    ['/livez', () => textAnswer(200, 'ok\n')],
    ['/readyz', ready],
    ['/healthz', ready],
    // RFC 8615: the keys with which an upstream verifies the tokens that we sign for it.
    ['/.well-known/jwks.json', () => jwksAnswer(signingKeys)],
    ['/metrics', () => ({ status: 200, contentType: expositionContentType, body: renderMetrics(metrics()) })],
  ]);
}

function jwksAnswer(keys: Pick<SigningKeys, 'publicJwks' | 'maxAgeS'>): OpsAnswer {
  return {
    status: 200,
    contentType: 'application/jwk-set+json',
    cacheControl: `public, max-age=${keys.maxAgeS()}`,
    body: JSON.stringify(keys.publicJwks(Date.now())),
  };
}
