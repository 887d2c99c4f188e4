import { createInterface, type Interface } from 'node:readline/promises';
import type { Answers } from './init-configs.ts';
import { type InitKind, initKinds, initKindTexts } from './init-kinds.ts';

export interface Told {
  readonly upstream?: string;
  readonly issuer?: string;
  readonly audience?: string;
  readonly jwks?: string;
  readonly secretEnv?: string;
}

/** What is written where nobody says better; each is plainly an example. */
const examples = {
  upstream: 'http://127.0.0.1:3000',
  issuer: 'https://id.example.com/',
  audience: 'my-api',
} as const;

/** Which of these a kind has any use for. */
const questions: Readonly<Record<InitKind, readonly (keyof typeof examples | 'jwks')[]>> = {
  oidc: ['upstream', 'issuer', 'audience'],
  jwks: ['upstream', 'issuer', 'jwks', 'audience'],
  secret: ['upstream'],
  sidecar: ['upstream', 'issuer', 'audience'],
  egress: ['upstream', 'issuer', 'audience'],
};

const texts: Readonly<Record<keyof typeof examples | 'jwks', string>> = {
  upstream: 'Where do requests go?',
  issuer: 'Who issues the tokens (iss)?',
  audience: 'Whom are they for (aud)?',
  jwks: 'Where is the JWK set?',
};

/** Asks on stderr for what was not told, in a terminal; elsewhere examples stand in. */
export async function askForAnswers(kind: InitKind | undefined, told: Told): Promise<Answers> {
  if (kind !== undefined || !process.stdin.isTTY || !process.stderr.isTTY) return complete(kind ?? 'oidc', told);
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const chosen = await askForKind(prompt);
    const answers: Record<string, string> = {};
    for (const name of questions[chosen]) {
      if (told[name] !== undefined) continue;
      const example = complete(chosen, { ...told, ...answers })[name];
      const answer = (await prompt.question(`${texts[name]} [${example}] `)).trim();
      answers[name] = answer === '' ? example : answer;
    }
    return complete(chosen, { ...told, ...answers });
  } finally {
    prompt.close();
  }
}

async function askForKind(prompt: Interface): Promise<InitKind> {
  const lines = initKinds.map((kind, index) => `  ${index + 1}  ${kind.padEnd(8)} ${initKindTexts[kind]}\n`);
  process.stderr.write(`What is it for?\n${lines.join('')}`);
  for (;;) {
    const answer = (await prompt.question('Number or name [1] ')).trim() || '1';
    const chosen = initKinds.find((kind, index) => answer === kind || answer === String(index + 1));
    if (chosen !== undefined) return chosen;
  }
}

function complete(kind: InitKind, told: Told): Answers {
  const issuer = told.issuer ?? examples.issuer;
  return {
    kind,
    upstream: told.upstream ?? (kind === 'egress' ? 'https://api.example.com' : examples.upstream),
    issuer,
    audience: told.audience ?? examples.audience,
    jwks: told.jwks ?? `${issuer.replace(/\/$/, '')}/.well-known/jwks.json`,
    secretEnv: told.secretEnv,
  };
}
