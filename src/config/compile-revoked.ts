import type { RevocationList } from '../gate/revocation.ts';
import { parseProviderUrl } from '../keys/provider-url.ts';
import { redisListAddress } from '../state/redis-lists.ts';
import type { ListPolicy, RevocationLists } from '../state/revocation-lists.ts';
import { parseRevocations, type Revocations } from '../state/revocations.ts';
import type { HeldSources } from './compile-tenant.ts';
import { complainIn, type Load, type Section } from './model.ts';
import { checkCertificates, readPem } from './pem-source.ts';
import { isRedisUrl } from './redis-url.ts';
import type { ReferencedFiles } from './referenced-files.ts';
import { Secret } from './secret.ts';
import type { RevokedConfig } from './shape/revoked.ts';

/** A list that was read, or that is to be fetched once the whole config has proved sound. */
export type PreparedRevoked =
  | { readonly kind: 'file'; readonly path: string; readonly revocations: Revocations }
  | { readonly kind: 'url'; readonly url: string; readonly policy: ListPolicy; readonly required: boolean };

type WithRevoked = Section<{ readonly revoked?: RevokedConfig | undefined }>;

export type RevokedCompiler = (section: WithRevoked) => Promise<PreparedRevoked | undefined>;

/** Makes a compiler that reads the lists that sections name, each content once; what can't be read is a problem. */
export function createRevokedCompiler(load: Load, files: ReferencedFiles): RevokedCompiler {
  const reads = new Map<unknown, ReturnType<typeof parseRevocations>>();
  const read = load.deps.revocations?.read ?? parseRevocations;

  async function fromFile(section: WithRevoked, file: string): Promise<PreparedRevoked | undefined> {
    const at = ['revoked', 'file'];
    const content = await files.read(section, at, file);
    if (content === undefined) return undefined;
    const reading = reads.get(content) ?? read(content.bytes);
    reads.set(content, reading);
    const revocations = await reading;
    if (revocations.kind === 'revocations') return { kind: 'file', path: file, revocations };
    complainIn(load, section, at, { message: `${file}: ${revocations.detail}`, hint: 'see docs/revocation.md' });
    return undefined;
  }

  /** What the list is held by; of one in Redis it names the key as well, and may hold a password. */
  function addressOf(url: string | Secret, section: WithRevoked): string {
    const { key = 'jwtgate:revoked', insecure = false } = section.config.revoked ?? {};
    if (url instanceof Secret) {
      const text = url.reveal();
      // What is wrong with it has been said.
      return isRedisUrl(text) ? redisListAddress(text, key) : text;
    }
    const checked = parseProviderUrl(url, insecure);
    if ('problem' in checked) complainIn(load, section, ['revoked', 'url'], { message: checked.problem });
    return url;
  }

  return async (section) => {
    const { revoked } = section.config;
    if (revoked?.file !== undefined) return fromFile(section, revoked.file);
    if (revoked?.url === undefined) return undefined;
    const { refresh, timeout, headers = {}, required } = revoked;
    const url = addressOf(revoked.url, section);
    const ca = revoked.ca === undefined ? undefined : await readPem(section, ['revoked', 'ca'], revoked.ca, files);
    if (ca !== undefined) checkCertificates(section, ['revoked', 'ca'], ca, load);
    const revealed = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.reveal()]));
    return { kind: 'url', url, policy: { refreshMs: refresh, timeoutMs: timeout, headers: revealed, ca }, required };
  };
}

/** The list that a prepared one stands for; a hold on it is put into `into`. Without `lists` there is none. */
export function openRevoked(
  prepared: PreparedRevoked | undefined,
  lists: RevocationLists | undefined,
  into: HeldSources,
): readonly RevocationList[] {
  if (prepared === undefined || lists === undefined) return [];
  const lease =
    prepared.kind === 'file'
      ? lists.holdFile(prepared.path, prepared.revocations)
      : lists.holdUrl(prepared.url, prepared.policy);
  into.leases.push(lease);
  if (prepared.kind === 'url' && prepared.required) into.required.push({ status: lease.status });
  return [lease.list];
}
