import { styleText } from 'node:util';
import type { Addresses } from './config-text.ts';
import type { ProbeResult } from './fire.ts';
import { type Probe, tokenLifetimeS } from './probes.ts';

type Style = 'bold' | 'dim' | 'green' | 'red' | 'cyan';

/** Colour only where stdout is a terminal that takes it and nobody set NO_COLOR: styleText looks at both. */
function styled(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stdout });
}

export function title(): string {
  return `  ${styled('bold', 'jwtgate demo')}: three tenants, keys made for this run, nothing leaves this machine`;
}

/** What is running where. */
export function addressBox(addresses: Addresses, configPath: string): string {
  const rows = [
    ['gate', `http://${addresses.gate}`, 'clients come here'],
    ['upstream', `http://${addresses.upstream}`, 'answers with the headers it got'],
    ['keys', `http://${addresses.keyServer}/.well-known/jwks.json`, "globex's identity provider"],
    ['ops', `http://${addresses.ops}`, '/livez /readyz /metrics'],
    ['config', configPath, `change it, then: kill -HUP ${process.pid}`],
  ] as const;
  const [first, second, third] = [0, 1, 2].map((column) =>
    Math.max(...rows.map((row) => (row[column] as string).length)),
  );
  const width = (first as number) + (second as number) + (third as number) + 6;
  const lines = rows.map(([name, place, remark]) => {
    const cells = [
      styled('bold', name.padEnd(first as number)),
      styled('cyan', place.padEnd(second as number)),
      styled('dim', remark.padEnd(third as number)),
    ];
    return `  │ ${cells.join('  ')}   │`;
  });
  return [`  ╭${'─'.repeat(width + 2)}╮`, ...lines, `  ╰${'─'.repeat(width + 2)}╯`].join('\n');
}

/** The shown probes as shell commands, each below a line that says what it will do. */
export function curlLines(probes: readonly Probe[], gate: string): string {
  const blocks = probes.filter((probe) => probe.shown).map((probe) => `${outcome(probe)}\n${curlLine(probe, gate)}`);
  return [
    `  Paste these into another terminal. The tokens are good for ${tokenLifetimeS / 60} minutes.`,
    ...blocks,
  ].join('\n\n');
}

/** One request as a POSIX shell command. */
function curlLine({ target, headers }: Probe, gate: string): string {
  const options = Object.entries(headers).map(([name, value]) => `-H ${quote(`${name}: ${value}`)}`);
  return ['curl -i', quote(`http://${gate}${target}`), ...options].join(' ');
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** A shell comment, so that a whole block can be pasted. */
function outcome({ tenant, title, expect }: Probe): string {
  return expect.kind === 'refused'
    ? styled('red', `# ${tenant}, ${title}: ${expect.status} ${expect.reason}, nothing reaches the upstream`)
    : styled('green', `# ${tenant}, ${title}: 200, the upstream gets ${headerList(expect.saw)}`);
}

/** ✓ or ✗, what was sent, what came of it; then the count. */
export function resultTable(results: readonly ProbeResult[]): string {
  const widest = (cell: (probe: Probe) => string) => Math.max(...results.map(({ probe }) => cell(probe).length));
  const [tenants, titles] = [widest((probe) => probe.tenant), widest((probe) => probe.title)];
  const lines = results.flatMap(({ probe, status, reason, seen, faults }) => {
    const good = faults.length === 0;
    const cells = [
      good ? styled('green', '✓') : styled('red', '✗'),
      styled('bold', probe.tenant.padEnd(tenants)),
      probe.title.padEnd(titles),
      String(status || '–').padEnd(3),
    ];
    const upstream =
      seen[0] === undefined ? 'upstream saw nothing' : `upstream saw ${identityOf(seen[0].headers, probe)}`;
    const row = `  ${cells.join('  ')}  ${reason ? `${reason}; ` : ''}${styled('dim', upstream)}`;
    return [row, ...faults.map((fault) => styled('red', `       ${fault}`))];
  });
  const right = results.filter((result) => result.faults.length === 0).length;
  const count = `  ${right} of ${results.length} as they should be`;
  return [...lines, '', styled(right === results.length ? 'green' : 'red', count)].join('\n');
}

function identityOf(headers: Readonly<Record<string, string>>, { expect }: Probe): string {
  const names = expect.kind === 'forwarded' ? [...Object.keys(expect.saw), ...expect.without] : Object.keys(headers);
  const present = names.filter((name) => headers[name] !== undefined);
  return headerList(Object.fromEntries(present.map((name) => [name, headers[name] as string])));
}

function headerList(headers: Readonly<Record<string, string>>): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}`)
    .join(', ');
}

/** How to go on with a config of one's own. */
export function nextSteps(packaged: boolean): string {
  const steps = packaged
    ? [
        'jwtgate init                           # writes config.yaml; then make it yours',
        'jwtgate validate -c config.yaml',
        'jwtgate run -c config.yaml',
      ]
    : [
        'cp config.example.yaml config.yaml     # then make it yours',
        'npm run build                          # makes dist/jwtgate, one file',
        'dist/jwtgate validate -c config.yaml',
        'dist/jwtgate run -c config.yaml',
      ];
  return [`  ${styled('bold', 'Now yours:')}`, ...steps.map((step) => `    ${step}`)].join('\n');
}

export function closingLine(): string {
  return `  Every request is logged below. ${styled('bold', 'Ctrl-C')} ends the demo.\n`;
}
