import type { SigningKeys } from '../sign/signing-keys.ts';
import { expositionContentType } from './exposition.ts';
import { type Health, readiness } from './health.ts';
import { type MetricSources, renderMetrics } from './metrics.ts';
import { type OpsAnswer, type OpsRoutes, textAnswer } from './ops-listener.ts';

/** Everything the ops listener answers. */
export function opsRoutes(
  health: () => Health | Promise<Health>,
  metrics: () => MetricSources | Promise<MetricSources>,
  signingKeys: Pick<SigningKeys, 'publicJwks' | 'maxAgeS'>,
): OpsRoutes {
  const ready = async () => {
    const { ready, text } = readiness(await health());
    return textAnswer(ready ? 200 : 503, text);
  };
  return new Map<string, () => OpsAnswer | Promise<OpsAnswer>>([
    // Says only that the event loop turns: an identity provider that is away must not restart pods.
    ['/livez', () => textAnswer(200, 'ok\n')],
    ['/readyz', ready],
    ['/healthz', ready],
    // RFC 8615: the keys with which an upstream verifies the tokens that we sign for it.
    ['/.well-known/jwks.json', () => jwksAnswer(signingKeys)],
    ['/metrics', async () => metricsAnswer(await metrics())],
  ]);
}

function metricsAnswer(sources: MetricSources): OpsAnswer {
  return { status: 200, contentType: expositionContentType, body: renderMetrics(sources) };
}

function jwksAnswer(keys: Pick<SigningKeys, 'publicJwks' | 'maxAgeS'>): OpsAnswer {
  return {
    status: 200,
    contentType: 'application/jwk-set+json',
    cacheControl: `public, max-age=${keys.maxAgeS()}`,
    body: JSON.stringify(keys.publicJwks(Date.now())),
  };
}
