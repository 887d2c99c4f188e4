/** What the token verbs read and write, so that a test can give them something else than a process. */
export interface TokenIo {
  readonly stdin: AsyncIterable<Uint8Array> & { readonly isTTY?: boolean };
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  readonly env: NodeJS.ProcessEnv;
}

export const processIo: TokenIo = {
  get stdin() {
    return process.stdin;
  },
  stdout: (text) => process.stdout.write(text),
  stderr: (text) => process.stderr.write(text),
  env: process.env,
};

const mostBytes = 1024 * 1024;

/** All of stdin, as long as it is no longer than any token or claims would be; a person at a terminal is told to type. */
export async function readStdin(
  what: string,
  { stdin, stderr }: TokenIo,
): Promise<string | { readonly problem: string }> {
  if (stdin.isTTY) stderr(`jwtgate: reading ${what} from the terminal; end with Ctrl-D\n`);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of stdin) {
    bytes += chunk.length;
    if (bytes > mostBytes) return { problem: `stdin holds more than ${mostBytes} bytes` };
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
