export interface ParsedSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const sampleForm = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const labelForm = /^([a-zA-Z_]\w*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/;

/**
 * A strict reader of the Prometheus text format: every family has its HELP and TYPE before its samples, no series
 * stands twice, histograms cumulate. Throws on anything else.
 */
export function parseExposition(text: string): ParsedSample[] {
  if (!text.endsWith('\n')) throw new Error('does not end with a newline');
  const samples: ParsedSample[] = [];
  const seen = new Set<string>();
  const types = new Map<string, string>();
  let current = '';
  for (const line of text.slice(0, -1).split('\n')) {
    const help = /^# HELP (\S+) \S/.exec(line);
    if (help) {
      if (types.has(help[1] as string)) throw new Error(`family twice: ${line}`);
      current = help[1] as string;
      continue;
    }
    const type = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line);
    if (type) {
      if (type[1] !== current) throw new Error(`TYPE without its HELP: ${line}`);
      if (type[2] === 'counter' && !current.endsWith('_total'))
        throw new Error(`a counter's name ends in _total: ${line}`);
      types.set(current, type[2] as string);
      continue;
    }
    const sample = sampleForm.exec(line);
    if (!sample) throw new Error(`not a sample: ${line}`);
    const [, name = '', labelText = '', valueText = ''] = sample;
    const family = types.get(current) === 'histogram' ? name.replace(/_(?:bucket|sum|count)$/, '') : name;
    if (family !== current) throw new Error(`outside its family: ${line}`);
    const series = `${name}{${labelText}}`;
    if (seen.has(series)) throw new Error(`series twice: ${line}`);
    seen.add(series);
    const value = Number(valueText.replace('Inf', 'Infinity'));
    if (Number.isNaN(value)) throw new Error(`not a number: ${line}`);
    samples.push({ name, labels: parseLabels(labelText), value });
  }
  checkHistograms(samples);
  return samples;
}

/** The one sample with this name and (at least) these labels; undefined where there is none. */
export function findSample(
  text: string,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  return parseExposition(text).find(
    (sample) => sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
  )?.value;
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  let rest = text;
  while (rest !== '') {
    const label = labelForm.exec(rest);
    if (!label) throw new Error(`not a label: ${rest}`);
    labels[label[1] as string] = (label[2] as string)
      .replaceAll('\\n', '\n')
      .replaceAll('\\"', '"')
      .replaceAll('\\\\', '\\');
    rest = rest.slice(label[0].length);
  }
  return labels;
}

function checkHistograms(samples: readonly ParsedSample[]): void {
  let before: ParsedSample | undefined;
  for (const sample of samples) {
    if (
      before?.name === sample.name &&
      sample.name.endsWith('_bucket') &&
      sample.labels.le !== '0.001' &&
      sample.labels.le !== '0.00005'
    ) {
      if (sample.value < before.value) throw new Error(`${sample.name} does not cumulate`);
    }
    before = sample;
  }
}
