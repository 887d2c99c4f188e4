import type { TracingConfig } from './tracing/settings.ts';

/** Is there anybody to send spans to? Asked before anything of tracing is loaded. */
export function wantsTracing(env: NodeJS.ProcessEnv, config: TracingConfig | 'off' | undefined): boolean {
  if (config === 'off' || env.OTEL_SDK_DISABLED?.trim().toLowerCase() === 'true') return false;
  return [env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, env.OTEL_EXPORTER_OTLP_ENDPOINT, config?.endpoint].some(Boolean);
}
