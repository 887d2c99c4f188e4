import { formatLadder } from '../../explain/format-explanation.ts';
import type { PlacedLadder } from '../../explain/placed.ts';
import type { RecordedRefusal } from '../../explain/refusals.ts';
import { printableText } from '../../ops/printable.ts';
import { askAdmin, findAdmin } from '../admin-client.ts';
import { exitCodes } from '../exit-codes.ts';
import { noAnswer } from '../no-answer.ts';
import type { TokenIo } from '../token-io.ts';
import { printableJson } from '../token-json.ts';
import { wantsColor } from '../wants-color.ts';
import { nameNear } from './name-near.ts';

export interface RecordedRefusalOptions {
  readonly config?: string;
  readonly requestId: string;
  readonly admin?: string;
  readonly json?: true;
}

const timeoutMs = 15_000;

/** Asks a running gate why it refused a request: 1 with the ladder, 2 where it knows of none, 69 where nobody answers. */
export async function explainRecorded(options: RecordedRefusalOptions, io: TokenIo): Promise<number> {
  const tell = (text: string, exitCode: number) => {
    io.stderr(`jwtgate: ${text}\n`);
    return exitCode;
  };
  const admin = await findAdmin(options.admin, options.config, io.env);
  if (admin.kind === 'problem') return tell(admin.detail, exitCodes.usage);
  const reply = await askAdmin(admin.where, `/api/refusals/${encodeURIComponent(options.requestId)}`, timeoutMs);
  if (reply.kind === 'none') return tell(noAnswer('admin listener', admin.where, reply.why), exitCodes.unavailable);
  if (reply.status === 404) {
    const why = 'it was not refused, or too long ago, or one of many in the same second';
    return tell(`the gate remembers no refusal with this id: ${why}`, exitCodes.usage);
  }
  if (reply.status !== 200) return tell(`the admin listener answers with ${reply.status}`, exitCodes.unavailable);
  const refusal = JSON.parse(reply.body) as Omit<RecordedRefusal, 'ladder'> & { readonly ladder: PlacedLadder };
  if (options.json) io.stdout(`${printableJson(refusal)}\n`);
  else {
    const { at, method, path, clientIp } = refusal;
    const from = clientIp === '' ? '' : ` from ${clientIp}`;
    const format = { color: wantsColor(process.stdout), nameOf: nameNear };
    io.stdout(`  ${printableText(`${at} ${method} ${path}${from}`)}\n\n${formatLadder(refusal.ladder, format)}`);
  }
  return exitCodes.no;
}
