import { type Command, Option } from 'commander';
import type { TokenInspectOptions } from './token-inspect.ts';
import { processIo, type TokenIo } from './token-io.ts';
import type { TokenSignOptions } from './token-sign.ts';

const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

/** What command lines are no place for: they stand in the shell's history, and every user can list them while they run. */
const notHere = 'the command line is kept in the shell history and shown in the process list';

/** Adds `token sign` and `token inspect`; `finish` gets their exit code. */
export function addTokenVerbs(program: Command, finish: (code: number) => void, io: TokenIo = processIo): void {
  const token = program
    .command('token')
    .description('make a test token, or read one, without pasting it into a website');

  token
    .command('sign')
    .description('sign claims, given as JSON on stdin or by --claim, and print the token')
    .option('--alg <name>', 'signature algorithm; default: HS256 for a secret, else the usual one for the key')
    .option('--secret-file <file>', 'file with the shared secret; one line break at its end is dropped')
    // Hidden: it is there to say why it is not there.
    .addOption(new Option('--secret [value]').hideHelp())
    .option('--secret-env <name>', 'environment variable with the shared secret')
    .option('--secret-encoding <encoding>', 'utf8, base64, base64url or hex', 'utf8')
    .option('--allow-weak-secret', 'accept a secret that is shorter than the algorithm needs')
    .option('--key-file <file>', 'file with the private key, in PEM')
    .option('--key-env <name>', 'environment variable with the private key, in PEM')
    .option('--claim <name=value>', 'a claim; JSON where the value is JSON, else text (may be repeated)', collect)
    .option('--expires <duration>', 'from now: 90s, 5m, 1h30m or never; default: 5m, unless the claims say exp')
    .option('--kid <id>', 'key ID for the header')
    .option('--header <name=value>', 'a further header member, as --claim (may be repeated)', collect)
    .argument('[input]', '"-" reads claims from stdin, where --claim is given as well')
    .addHelpText('after', `\nThere is no option for the secret itself: ${notHere}.`)
    .action(async (input: string | undefined, options: TokenSignOptions) => {
      const { signToken } = await import('./token-sign.ts');
      finish(await signToken(input, options, io));
    });

  token
    .command('inspect')
    .description('print the header and payload of a token from stdin; nothing is verified, unless a config is given')
    .option('-c, --config <file>', 'verify the token as this config would, and exit with 0 or 1')
    .option('--tenant <id>', "the config's tenant, where the token alone does not say which")
    .argument('[input]', '"-", or nothing: the token comes on stdin')
    .addHelpText('after', `\nThe token is no argument: ${notHere}.`)
    .action(async (input: string | undefined, options: TokenInspectOptions) => {
      const { inspectToken } = await import('./token-inspect.ts');
      finish(await inspectToken(input, options, io));
    });
}
