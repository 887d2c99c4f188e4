/** From the config's root inwards: key names, and list indexes as numbers. */
export type ConfigPath = readonly (string | number)[];

const plainKey = /^(?:[A-Za-z_$][\w$-]*|…)$/;

/** `tenants.acme.routes[0].path`; keys that would read as something else stand in brackets, hidden ones are "…". */
export function formatPath(path: ConfigPath): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (!plainKey.test(part)) text += `[${JSON.stringify(part)}]`;
    else text += text === '' ? part : `.${part}`;
  }
  return text;
}
