import { setTimeout as wait } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { testCertificates } from '../support/certificates.ts';
import { configFiles } from '../support/config-files.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const env = { SECRET: 's'.repeat(32), KEY: testCertificates().client.key };
const head = 'upstream: http://127.0.0.1:3000\n';

/** Each makes something that outlives the load. */
const configs = {
  'a plain tenant': `${head}tenants: {a: {secret: {env: SECRET}, claims: {id: required}, routes: [{path: "/{x}", bind: {id: path.x}}], errors: {body: {a: "\${message}"}}}}`,
  'a warning': `${head}tenants: {a: {secret: ssssssssssssssssssssssssssssssss}}`,
  'CORS and Basic': `${head}tenants: {a: {secret: {env: SECRET}, cors: {origins: ["https://a.example"]}, basic: {user: a, password: {env: SECRET}}}}`,
  'a signed upstream': `upstream: {url: http://127.0.0.1:3000, rate: 10/s, sign: {algorithm: ES256, privateKey: {env: KEY}, payload: {a: "\${claims.sub}"}}}\ntenants: {a: {secret: {env: SECRET}}}`,
  'a grant': `upstream: {url: http://127.0.0.1:3000, sign: {algorithm: HS256, secret: {env: SECRET}, grant: {tokenEndpoint: "https://a.example/token"}}}\ntenants: {a: {secret: {env: SECRET}}}`,
  provisioning: `${head}tenants: {a: {secret: {env: SECRET}, provision: {url: "https://a.example", body: {a: "\${claims.sub}"}}}}`,
};

test.each(Object.entries(configs))('of what a load needed, a config with %s keeps nothing', async (_, text) => {
  let deps: WeakRef<object> | undefined;
  const loaded = await (async () => {
    const world = configFiles({ 'config.yaml': text }, env);
    deps = new WeakRef(world);
    return loadConfig('config.yaml', world);
  })();
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  // Each step of the load holds `deps`; the frames of its last steps may be looked at once more.
  for (let round = 0; round < 50 && deps?.deref() !== undefined; round++) {
    await wait(1);
    collectGarbage();
  }
  expect(deps?.deref()).toBeUndefined();
  loaded.release();
});
