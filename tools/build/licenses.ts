import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BundledPackage } from './bundled-packages.ts';
import type { Runtime } from './runtime.ts';

const rule = '='.repeat(80);

/** The licences of all that the executable holds and we did not write, as text for people. */
export function thirdPartyLicenses(packages: readonly BundledPackage[], runtime: Runtime): string {
  const node = {
    title: `Node.js ${runtime.version}, and what is in it`,
    website: 'https://nodejs.org',
    text: readFileSync(join(runtime.folder, 'LICENSE'), 'utf8').trim(),
  };
  const sections = packages.map(({ name, version, license, website, licenseText }) => ({
    title: `${name} ${version}: ${license}`,
    website,
    text: licenseText,
  }));
  const list = [...packages.map(({ name, version }) => `${name} ${version}`), `Node.js ${runtime.version}`];
  return [
    'jwtgate is MIT licensed. It contains work of others, under the licences below:',
    list.map((line) => `  ${line}`).join('\n'),
    ...[...sections, node].map(({ title, website, text }) => {
      return `${rule}\n${title}${website ? `\n${website}` : ''}\n${rule}\n\n${text}`;
    }),
    '',
  ].join('\n\n');
}
