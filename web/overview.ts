import type { Overview } from '../src/status/overview.ts';
import { drawChart, highest, layersOf } from './chart.ts';
import { element, part, svg } from './element.ts';
import { count, duration, megabytes, rate } from './figures.ts';

const slots = 120;

/** What stands at the top, and the chart. */
export function showOverview(overview: Overview): void {
  const { config, nowMs, startedAtMs, build, requests, verdictCache, series } = overview;
  const seconds = (Math.min(6, series.accepted.length) * series.stepMs) / 1000;
  const lately = series.accepted.slice(-6).reduce((sum, value) => sum + value, 0);
  const looks = verdictCache && verdictCache.hits + verdictCache.misses;
  showFacts([
    ['version', build.version],
    ['config', `${config.hash.slice(0, 12)}, generation ${config.generation}`],
    ['served for', duration(nowMs - config.servedSinceMs)],
    ['up', duration(nowMs - startedAtMs)],
    ['tenants', count(config.tenants)],
    ['accepted/s', rate(seconds === 0 ? 0 : lately / seconds)],
    ['under way', count(requests.active)],
    ['from the cache', looks ? `${((100 * (verdictCache?.hits ?? 0)) / looks).toFixed(0)} %` : '–'],
    ['memory', megabytes(overview.memoryBytes)],
  ]);
  showAlarm(overview);
  showChart(overview);
}

function showFacts(facts: readonly (readonly [name: string, value: string])[]): void {
  part('facts').replaceChildren(
    ...facts.map(([name, value]) => element('div', {}, element('dt', {}, name), element('dd', {}, value))),
  );
}

let alarmShown = '';

/** Made anew only where it changes: a screen reader says it each time. */
function showAlarm({ reloads, droppedLogLines }: Overview): void {
  const text = JSON.stringify([reloads.problems, reloads.needsRestart, droppedLogLines > 0]);
  if (text === alarmShown) return;
  alarmShown = text;
  const parts: HTMLElement[] = [];
  if (reloads.problems.length > 0) {
    parts.push(
      element(
        'div',
        { class: 'alarm', role: 'alert' },
        element('strong', {}, 'The last reload was refused; the config before it is still served.'),
        element('ul', {}, ...reloads.problems.map((line) => element('li', {}, line))),
      ),
    );
  }
  const notice = (line: string) => parts.push(element('div', { class: 'notice' }, line));
  if (reloads.needsRestart.length > 0) notice(`Changed, and waiting for a restart: ${reloads.needsRestart.join(', ')}`);
  if (droppedLogLines > 0) notice('Log lines were given up, as whoever reads the log is too slow.');
  part('alarm').replaceChildren(...parts);
}

function showChart({ series }: Overview): void {
  const layers = layersOf(series);
  part('chart').replaceChildren(drawChart(layers, series.accepted.length, slots, series.stepMs));
  const entries = layers.map(({ reason, total, tone }) => {
    const swatch = svg(
      'svg',
      { viewBox: '0 0 10 10', 'aria-hidden': 'true' },
      svg('rect', { class: tone, width: '10', height: '10' }),
    );
    return element('li', {}, swatch, `${reason} ${count(total)}`);
  });
  const summary = layers.length === 0 ? 'none in the last ten minutes' : highest(layers, series.stepMs);
  part('legend').replaceChildren(...entries, element('li', { class: 'faint' }, summary));
}
