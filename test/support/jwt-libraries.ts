import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

/** A token to verify, with the key of its algorithm: PEM of a public key, or a secret's text. */
export interface TokenToVerify {
  readonly token: string;
  readonly key: string;
  readonly algorithm: string;
}

/** A token to make; `key` is PEM of a private key, or a secret's text. */
export interface TokenToMint {
  readonly payload: object;
  readonly header: object;
  readonly key: string;
  readonly algorithm: string;
}

/** A JWT library of another language, in a process of its own. */
export interface JwtLibrary {
  readonly name: string;
  readonly algorithms: readonly string[];
  /** Each token's header and payload as the library gives them after verifying, or its word for the error. */
  verify(
    tokens: readonly TokenToVerify[],
  ): Promise<readonly ({ readonly header: object; readonly payload: object } | { readonly error: string })[]>;
  mint(tokens: readonly TokenToMint[]): Promise<readonly string[]>;
}

const families = (...names: string[]) => names.flatMap((name) => [`${name}256`, `${name}384`, `${name}512`]);

const libraries = {
  PyJWT: {
    package: 'python3-jwt and python3-cryptography',
    // Debian's own Python has Debian's packages; another one may come first on the path.
    commands: [
      ['/usr/bin/python3', '-c'],
      ['python3', '-c'],
    ],
    probe: 'import jwt, cryptography',
    algorithms: [...families('HS', 'RS', 'PS', 'ES'), 'EdDSA'],
    verify: `
import json, sys, jwt
def verify(t):
    try:
        payload = jwt.decode(t["token"], t["key"], algorithms=[t["algorithm"]], options={"verify_aud": False})
        return {"header": jwt.get_unverified_header(t["token"]), "payload": payload}
    except Exception as e:
        return {"error": type(e).__name__}
print(json.dumps([verify(t) for t in json.load(sys.stdin)]))`,
    mint: `
import json, sys, jwt
print(json.dumps([jwt.encode(t["payload"], t["key"], algorithm=t["algorithm"], headers=t["header"]) for t in json.load(sys.stdin)]))`,
  },
  'ruby-jwt': {
    package: 'ruby and ruby-jwt',
    commands: [['ruby', '-rjwt', '-rjson', '-e']],
    probe: '',
    // Its EdDSA needs a further library.
    algorithms: families('HS', 'RS', 'PS', 'ES'),
    verify: `
def key(t) t["algorithm"].start_with?("HS") ? t["key"] : OpenSSL::PKey.read(t["key"]) end
puts JSON.generate(JSON.parse($stdin.read).map { |t|
  begin
    payload, header = JWT.decode(t["token"], key(t), true, { algorithm: t["algorithm"] })
    { header: header, payload: payload }
  rescue JWT::DecodeError => e
    { error: e.class.name }
  end
})`,
    mint: `
def key(t) t["algorithm"].start_with?("HS") ? t["key"] : OpenSSL::PKey.read(t["key"]) end
puts JSON.generate(JSON.parse($stdin.read).map { |t| JWT.encode(t["payload"], key(t), t["algorithm"], t["header"]) })`,
  },
} as const;

export const jwtLibraryNames = Object.keys(libraries) as (keyof typeof libraries)[];

/** The library, or why it can't be used here: for a test to skip with. */
export async function findJwtLibrary(name: keyof typeof libraries): Promise<JwtLibrary | { readonly missing: string }> {
  const { commands, probe, algorithms, verify, mint, package: debianPackage } = libraries[name];
  for (const command of commands) {
    if ((await run(command, probe, '')) === undefined) continue;
    const ask = async (script: string, input: unknown) => {
      const answer = await run(command, script, JSON.stringify(input));
      if (answer === undefined) throw new Error(`${name} failed`);
      return JSON.parse(answer);
    };
    return { name, algorithms, verify: (tokens) => ask(verify, tokens), mint: (tokens) => ask(mint, tokens) };
  }
  return { missing: `${name} is not installed (Debian: ${debianPackage})` };
}

/** What a script prints; undefined where it, or its interpreter, fails. */
async function run([file, ...args]: readonly [string, ...string[]], script: string, input: string) {
  const child = spawn(file, [...args, script], { stdio: ['pipe', 'pipe', 'ignore'] });
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  try {
    const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
    return code === 0 ? output : undefined;
  } catch {
    return undefined;
  }
}
