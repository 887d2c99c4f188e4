import { type Command, Option } from 'commander';
import type { ExplainOptions } from '../explain.ts';
import { processIo, type TokenIo } from '../token-io.ts';

const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

const examples = `
Examples:
  jwtgate explain -c config.yaml /acme/orders --token @token.txt
  jwtgate explain https://api.example/acme/orders -H 'Authorization: Bearer …' -X POST --body @order.json
  pbpaste | jwtgate explain --curl -             what a browser copies as "cURL (bash)"
  jwtgate explain --har export.har --entry 3
  jwtgate explain --request-id 4f1c9a2b7e03-1z --admin http://127.0.0.1:9902
  jwtgate explain /acme/orders --token - --at 2026-11-22T06:33:00Z --jwks keys.json < token.txt

Nothing is sent to the upstream, no token is used up, nobody is provisioned, and no token is printed. A token on the
command line is kept in the shell history and shown in the process list: @file and - are better.`;

/** Adds `explain`; `finish` gets its exit code. */
export function addExplainVerb(program: Command, finish: (code: number) => void, io: TokenIo = processIo): void {
  program
    .command('explain')
    .description('tell step by step why a request is allowed or refused, with the config line behind each step')
    .addOption(
      new Option(
        '-c, --config <file>',
        'the config; without it $JWTGATE_CONFIG, /etc/jwtgate/config.yaml, ./config.yaml',
      ),
    )
    .option('-X, --request <method>', 'the method; default: GET, with a body POST')
    .option('-H, --header <line>', '"Name: value" (may be repeated)', collect)
    .option('--body <text>', 'the body: text, @file or - for stdin')
    .option('--token <token>', 'a token, put where its tenant looks for one: text, @file or - for stdin')
    .option('--curl <command>', 'a curl command in place of the URL: text, @file or - for stdin; it is never run')
    .option('--har <file>', 'an HTTP archive in place of the URL; - for stdin')
    .option('--entry <n>', 'with --har: which entry, counted from 1')
    .option('--peer <address>', 'the address that it comes from, for trustedProxies; default: 127.0.0.1')
    .option('--at <time>', 'judge as if it were then: 2026-11-22T06:33:00Z, seconds since 1970, or -5m')
    .option('--offline', 'fetch no keys and no lists')
    .option('--jwks <file>', 'a JWK set in place of every one that would be fetched')
    .option('--request-id <id>', 'ask a running jwtgate about a request it has refused, by its X-Request-Id')
    .option(
      '--admin <url>',
      "with --request-id: its admin listener (http://host:port, unix:/path), instead of the config's",
    )
    .option('--json', 'as JSON')
    .argument('[url]', 'the URL of the request, or its path and query')
    .addHelpText('after', examples)
    .action(async (url: string | undefined, options: ExplainOptions) => {
      const { explainRequest } = await import('../explain.ts');
      finish(await explainRequest(url, options, io));
    });
}
