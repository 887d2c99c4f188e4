import { Command, CommanderError, Option } from 'commander';
import { exitCodes, exitCodesHelp } from './exit-codes.ts';
import type { HeldSignals } from './signals.ts';
import { addTokenVerbs } from './token.ts';
import { versionLine } from './version.ts';

/** Runs one verb and resolves with its exit code. A verb's code is loaded when the verb is asked for. */
export async function cli(args: readonly string[], _signals: HeldSignals | undefined): Promise<number> {
  let code: number = exitCodes.ok;
  const program = new Command('jwtgate')
    .description(
      'A reverse proxy that lets only requests with a verified JWT through, and hands their claims on as headers.',
    )
    .version(versionLine(), '-V, --version', 'print version, commit and runtime')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', exitCodesHelp)
    .showHelpAfterError('(jwtgate --help lists verbs and options)')
    .exitOverride()
    .enablePositionalOptions();

  program
    .command('healthcheck')
    .description('ask a running jwtgate whether it is ready; for images that have no shell')
    .addOption(configOption())
    .option('--url <url>', "ask here instead of at the config's ops listener")
    .option('--live', 'ask only whether the process answers (/livez)')
    .option('--timeout <seconds>', 'wait no longer', '3')
    .action(async (options: { config?: string; url?: string; live?: true; timeout: string }) => {
      const { healthcheck } = await import('./healthcheck.ts');
      code = await healthcheck(options);
    });

  program
    .command('version')
    .description('print version, commit and runtime')
    .action(() => {
      process.stdout.write(`${versionLine()}\n`);
    });

  addTokenVerbs(program, (exitCode) => {
    code = exitCode;
  });

  try {
    await program.parseAsync([...args], { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    throw error;
  }
}

function configOption(): Option {
  return new Option(
    '-c, --config <file>',
    'the config; without it $JWTGATE_CONFIG, /etc/jwtgate/config.yaml, ./config.yaml',
  );
}
