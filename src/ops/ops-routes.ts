import { expositionContentType } from './exposition.ts';
import { type HealthSources, readiness } from './health.ts';
import { type MetricSources, renderMetrics } from './metrics.ts';
import { type OpsRoutes, textAnswer } from './ops-listener.ts';

/** Everything the ops listener answers. */
export function opsRoutes(health: HealthSources, metrics: MetricSources): OpsRoutes {
  const ready = () => {
    const { ready, text } = readiness(health);
    return textAnswer(ready ? 200 : 503, text);
  };
  return new Map([
    // Says only that the event loop turns: an identity provider that is away must not restart pods.
    ['/livez', () => textAnswer(200, 'ok\n')],
    ['/readyz', ready],
    ['/healthz', ready],
    ['/metrics', () => ({ status: 200, contentType: expositionContentType, body: renderMetrics(metrics) })],
  ]);
}
