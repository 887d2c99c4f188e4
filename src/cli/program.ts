import { Argument, Command, Option } from 'commander';
import { workerVerb } from '../server/workers/worker-verb.ts';
import { addCompletionVerbs } from './completion/verbs.ts';
import type { ConfigDiffOptions } from './config-diff.ts';
import type { ConfigShowOptions } from './config-show.ts';
import { addExamples } from './examples.ts';
import { exitCodesHelp } from './exit-codes.ts';
import { addExplainVerb } from './explain/verb.ts';
import type { InitOptions } from './init.ts';
import { type InitKind, initKinds, initKindTexts } from './init-kinds.ts';
import type { ReloadOptions } from './reload.ts';
import type { RunOptions } from './run.ts';
import type { HeldSignals } from './signals.ts';
import type { TestOptions } from './test.ts';
import { addTokenVerbs } from './token.ts';
import { processIo } from './token-io.ts';
import { addUsageAdvice } from './usage-advice.ts';
import type { ValidateOptions } from './validate.ts';
import { versionLine } from './version.ts';

/** The table of all verbs. `finish` gets the exit code of the one that is run; its code is loaded only then. */
export function createProgram(finish: (code: number) => void, signals: HeldSignals | undefined): Command {
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
    .command('run')
    .description(
      'verify and forward requests until a signal ends it: HUP reloads, TERM and INT drain, a second one stops now',
    )
    .addOption(configOption())
    .addOption(new Option('-w, --watch', 'reload when the config, or a file it names, changes').env('JWTGATE_WATCH'))
    .addOption(
      new Option('--log-level <level>', "instead of the config's")
        .choices(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
        .env('JWTGATE_LOG_LEVEL'),
    )
    .addOption(
      new Option('--log-format <format>', "instead of the config's")
        .choices(['json', 'text'])
        .env('JWTGATE_LOG_FORMAT'),
    )
    .addOption(
      new Option('--pid-file <file>', 'write the number of the process there, for as long as it runs').env(
        'JWTGATE_PID_FILE',
      ),
    )
    .action(async (options: Omit<RunOptions, 'watch'> & { watch?: true | string }) => {
      const { run } = await import('./run.ts');
      finish(await run({ ...options, watch: isOn(options.watch) }, signals));
    });

  program
    .command('reload')
    .description('have a running jwtgate load its config anew, and tell what became of it')
    .addOption(configOption())
    .option('--admin <url>', "ask this admin listener (http://host:port, unix:/path) instead of the config's")
    .option('--pid <number>', 'signal this process (SIGHUP) instead of asking an admin listener')
    .addOption(new Option('--pid-file <file>', 'the same, of the process that a file names').env('JWTGATE_PID_FILE'))
    .option('--ops <url>', "with a process: watch this ops listener (http://host:port) instead of the config's")
    .option('--timeout <seconds>', 'wait no longer', '30')
    .option('--json', 'as JSON')
    .action(async (options: ReloadOptions) => {
      const { reload } = await import('./reload.ts');
      finish(await reload(options));
    });

  program
    .command('validate')
    .alias('check')
    .description('check the config as run would load it, and print every problem')
    .addOption(configOption())
    .option('--json', 'print problems and warnings as JSON on stdout')
    .option('--deny-warnings', 'fail on warnings too')
    .option('--online', 'then test every connection: key sources, lists, Redis, upstreams, signing, grants and probes')
    .option('--timeout <seconds>', 'with --online: wait no longer for an upstream', '10')
    .action(async (options: ValidateOptions) => {
      const { validate } = await import('./validate.ts');
      finish(await validate(options));
    });

  program
    .command('healthcheck')
    .description('ask a running jwtgate whether it is ready; for images that have no shell')
    .addOption(configOption())
    .option('--url <url>', "ask here instead of at the config's ops listener")
    .option('--live', 'ask only whether the process answers (/livez)')
    .option('--timeout <seconds>', 'wait no longer', '3')
    .action(async (options: { config?: string; url?: string; live?: true; timeout: string }) => {
      const { healthcheck } = await import('./healthcheck.ts');
      finish(await healthcheck(options));
    });

  program
    .command('schema')
    .description('print the JSON Schema of the config, or of a file of tests for one, for editors')
    .addArgument(new Argument('[what]', 'config or tests').choices(['config', 'tests']).default('config'))
    .action(async (what: 'config' | 'tests') => {
      const { printSchema } = await import('./schema.ts');
      finish(await printSchema(what));
    });

  program
    .command('test')
    .description('run tests of configs: requests and tokens, and what has to become of them')
    .option('-c, --config <file>', 'instead of the config that the file of tests names')
    .option('--run <text>', 'only tests with this in their name')
    .option('--json', 'results as JSON')
    .option('--junit', 'results as the XML that CI systems read')
    .argument('[files...]', 'files of tests; default: jwtgate.test.yaml')
    .addHelpText('after', testExamples)
    .action(async (files: readonly string[], options: TestOptions) => {
      const { testConfigs } = await import('./test.ts');
      finish(await testConfigs(files, options, processIo));
    });

  program
    .command('init')
    .description('write a commented config to begin with; in a terminal it asks what for')
    .addArgument(new Argument('[kind]', initKindsText).choices(initKinds))
    .option('-o, --output <file>', 'where to write it', 'config.yaml')
    .option('--force', 'write over a config that is there; keys and secrets are kept in any case')
    .option('--upstream <url>', 'where requests go')
    .option('--issuer <url>', 'who issues the tokens')
    .option('--audience <text>', 'whom the tokens are for')
    .option('--jwks <url>', 'where the JWK set is')
    .option('--secret-env <name>', 'with secret: the environment variable that has it, instead of a file')
    .action(async (kind: InitKind | undefined, options: InitOptions) => {
      const { init } = await import('./init.ts');
      finish(await init(kind, options));
    });

  const config = program.command('config').description('look at the config');
  config
    .command('diff')
    .description('tell what of the effective config differs between two files: exit code 0 nothing, 1 something')
    .argument('<before>', 'the main file of one config')
    .argument('<after>', 'the main file of the other')
    .option('-q, --quiet', 'print nothing')
    .option('--json', 'as JSON')
    .action(async (before: string, after: string, options: ConfigDiffOptions) => {
      const { diffConfigFiles } = await import('./config-diff.ts');
      finish(await diffConfigFiles(before, after, options));
    });
  config
    .command('show')
    .description('print the config as it is in effect, and where each value comes from; secrets are masked')
    .addOption(configOption())
    .option('--tenant <id>', 'of this tenant alone')
    .option('--no-origins', 'without saying where each value comes from')
    .option('--no-defaults', 'without what nobody said')
    .option('--json', 'as JSON instead of YAML')
    .action(async (options: ConfigShowOptions) => {
      const { showEffectiveConfig } = await import('./config-show.ts');
      finish(await showEffectiveConfig(options));
    });

  program
    .command('demo')
    .description('show it at work: an upstream, an identity provider and three tenants, all on this machine')
    .option('--once', 'fire its requests itself, print what became of each, and end')
    .action(async (options: { once?: true }) => {
      const { demo } = await import('./demo.ts');
      finish(await demo(options));
    });

  program
    .command('version')
    .description('print version, commit and runtime')
    .action(() => {
      process.stdout.write(`${versionLine()}\n`);
    });

  program
    .command('licenses')
    .description('print the licences of the work of others that is built in')
    .action(async () => {
      const { printLicenses } = await import('./licenses.ts');
      finish(printLicenses());
    });

  addExplainVerb(program, finish);
  program.command(`${workerVerb} <index>`, { hidden: true }).action(async (index: string) => {
    const { worker } = await import('./worker.ts');
    finish(await worker(index));
  });

  addTokenVerbs(program, finish);
  addCompletionVerbs(program, finish);
  addExamples(program);
  addUsageAdvice(program);
  return program;
}

const testExamples = `
Examples:
  jwtgate test                                   runs jwtgate.test.yaml
  jwtgate test tests/*.yaml --junit > report.xml
  jwtgate test --run 'an editor'

Keys are made up for each run, so tests need none of yours; nobody is called.`;

function configOption(): Option {
  return new Option(
    '-c, --config <file>',
    'the config; without it $JWTGATE_CONFIG, /etc/jwtgate/config.yaml, ./config.yaml',
  );
}

/** A flag, or its environment variable's text. */
function isOn(value: true | string | undefined): boolean | undefined {
  if (typeof value !== 'string') return value;
  return !['', '0', 'false', 'no', 'off'].includes(value.toLowerCase());
}

const initKindsText = initKinds.map((kind) => `${kind}: ${initKindTexts[kind]}`).join('; ');
