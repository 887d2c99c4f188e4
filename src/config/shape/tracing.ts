import * as z from 'zod';
import { lazyObject } from './lazy-fields.ts';
import { secretText } from './sensitive.ts';
import { headerName, httpUrl, share, words } from './values.ts';

const tracingObject = lazyObject({
  endpoint: () =>
    httpUrl()
      .optional()
      .describe(
        'Base URL of an OpenTelemetry collector (OTLP over HTTP), e.g. http://collector:4318; /v1/traces is put behind it. Default: none, and so no tracing.',
      ),
  headers: () =>
    z
      .record(headerName(), secretText())
      .optional()
      .describe('Headers of what is sent to the collector, e.g. Authorization.'),
  sample: () =>
    share()
      .prefault(1)
      .describe(
        'Share of the traces that begin here which are recorded, 0 to 1. What others began is recorded where they say so. Default: 1.',
      ),
  serviceName: () => words().prefault('jwtgate').describe('The resource attribute service.name. Default: jwtgate.'),
  attributes: () =>
    z
      .record(words(), z.string({ error: 'must be text' }))
      .optional()
      .describe('More resource attributes, e.g. deployment.environment.name.'),
}).meta({ id: 'tracing' });

export const tracing = z.union([z.literal('off'), tracingObject], { error: 'must be off, or {endpoint, …}' });

export type TracingSettings = z.output<typeof tracing>;
