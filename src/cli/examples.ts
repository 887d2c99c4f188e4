import type { Command } from 'commander';

/** What `--help` of a command shows beside its options, by the command's words. Each line can be pasted. */
const examples: Readonly<Record<string, string>> = {
  run: `
  jwtgate run -c config.yaml
  jwtgate run --watch --log-format json
  JWTGATE_CONFIG=/etc/jwtgate/config.yaml jwtgate run --pid-file /run/jwtgate.pid`,
  reload: `
  jwtgate reload -c config.yaml                  asks the admin listener that the config names
  jwtgate reload --admin http://127.0.0.1:9902
  jwtgate reload --pid-file /run/jwtgate.pid     signals, then watches the ops listener`,
  validate: `
  jwtgate validate -c config.yaml
  jwtgate validate --deny-warnings --json        in CI
  jwtgate validate --online --timeout 5          also whether everything that it names answers`,
  healthcheck: `
  jwtgate healthcheck
  jwtgate healthcheck --live --url http://127.0.0.1:9901`,
  schema: `
  jwtgate schema > config.schema.json
  jwtgate schema tests > tests.schema.json`,
  init: `
  jwtgate init                                   asks, in a terminal
  jwtgate init oidc --issuer https://id.example.com/ --audience my-api --upstream http://127.0.0.1:3000
  jwtgate init secret                            makes a secret, in a file of its own
  jwtgate init secret --secret-env APP_SECRET    reads it from the environment
  jwtgate init egress -o egress/config.yaml --upstream https://api.example.com`,
  config: `
  jwtgate config show --tenant acme
  jwtgate config diff config.yaml next.yaml`,
  'config show': `
  jwtgate config show -c config.yaml
  jwtgate config show --tenant acme --no-defaults
  jwtgate config show --no-origins --json`,
  'config diff': `
  jwtgate config diff /etc/jwtgate/config.yaml next/config.yaml
  jwtgate config diff --quiet config.yaml next.yaml`,
  demo: `
  jwtgate demo
  jwtgate demo --once`,
  version: `
  jwtgate version`,
  licenses: `
  jwtgate licenses`,
  completion: `
  jwtgate completion bash > /etc/bash_completion.d/jwtgate
  jwtgate completion zsh > "\${fpath[1]}/_jwtgate"
  jwtgate completion fish > ~/.config/fish/completions/jwtgate.fish`,
  token: `
  jwtgate token sign --secret-file main.secret --claim sub=me
  jwtgate token inspect < token.txt`,
  'token sign': `
  jwtgate token sign --secret-file main.secret --secret-encoding base64url --claim sub=me --claim 'roles=["admin"]'
  jwtgate token sign --key-file key.pem --alg ES256 --kid 1 --expires 1h --claim aud=my-api`,
  'token inspect': `
  jwtgate token inspect < token.txt
  jwtgate token inspect -c config.yaml --tenant acme < token.txt`,
};

/** Puts them where they belong; a command that shows its own keeps them. */
export function addExamples(command: Command, words: readonly string[] = []): void {
  for (const inner of command.commands) {
    const path = [...words, inner.name()];
    const own = examples[path.join(' ')];
    if (own !== undefined) inner.addHelpText('after', `\nExamples:${own}`);
    addExamples(inner, path);
  }
}
