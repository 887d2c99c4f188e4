import type { ExpressionProblem } from '../cel/check.ts';
import { compileExpression } from '../cel/expression.ts';
import { Fault, read, Timestamp } from '../cel/value.ts';
import type { Variable, Vocabulary } from '../cel/vocabulary.ts';
import { type ClientField, clientFields, clientValue } from '../template/client-field.ts';
import type { BindableRequest } from './bind.ts';
import type { ClaimPath } from './claims.ts';
import { findQueryParameter } from './query.ts';
import { headerValues, type RequestHead } from './request-head.ts';
import type { VerifiedToken } from './verify.ts';

/** What a rule may look at: a token is verified before any rule sees it. */
export interface RuleInput {
  readonly token: Pick<VerifiedToken, 'header' | 'claims' | 'algorithm' | 'kid'>;
  readonly tenant: string;
  readonly head: Pick<RequestHead, 'headers' | 'method' | 'scheme' | 'clientCertificate'>;
  readonly request: Pick<BindableRequest, 'query' | 'captures' | 'host' | 'body'>;
  /** Decoded segments of the path that was matched, and is forwarded. */
  readonly segments: readonly string[];
  readonly nowMs: number;
}

/** A `rule` of the config: it holds, or the request is refused. */
export interface Rule {
  readonly text: string;
  /** Names it asks of the request, to be held against the rest of the config; `at` is where in the text. */
  readonly headerNames: readonly RuleName[];
  readonly pathVariables: readonly RuleName[];
  readonly readsBody: boolean;
  /** It asks for more than the token, its tenant and the time. */
  readonly readsRequest: boolean;
  readonly readsClient: boolean;
  /** Claims that it asks for by name. */
  readonly claims: readonly ClaimPath[];
  /** Undefined: it holds. Otherwise why not, for the log: what stands in the rule, and nothing of the request. */
  readonly refusal: (input: RuleInput) => string | undefined;
}

export interface RuleName {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

const ambiguous = new Fault('stands more than once, or can be read in two ways');

const text = (readText: (input: RuleInput) => string | undefined): Variable<RuleInput> => ({
  type: 'string',
  read: readText,
});

/** Fields of a certificate that may have several values. */
const listFields: ReadonlySet<ClientField> = new Set(['dns', 'uri', 'email', 'ip']);

const clientField = (field: ClientField): Variable<RuleInput> => ({
  type: listFields.has(field) ? 'list<string>' : 'string',
  read: ({ head }) => clientValue(head.clientCertificate, field),
});

/** What rules can speak of; docs/rules.md tells it to their writers. */
const ruleVocabulary: Vocabulary<RuleInput> = {
  claims: { type: 'map<string, dyn>', read: ({ token }) => token.claims },
  token: {
    members: {
      header: { type: 'map<string, dyn>', read: ({ token }) => token.header },
      algorithm: text(({ token }) => token.algorithm),
      kid: text(({ token }) => token.kid),
    },
  },
  tenant: text(({ tenant }) => tenant),
  client: { members: Object.fromEntries(clientFields.map((field) => [field, clientField(field)])) },
  request: {
    members: {
      method: text(({ head }) => head.method),
      scheme: text(({ head }) => head.scheme),
      host: text(({ request }) => request.host),
      path: text(({ segments }) => `/${segments.join('/')}`),
      time: {
        type: 'google.protobuf.Timestamp',
        read: ({ nowMs }) => new Timestamp(BigInt(Math.floor(nowMs)) * 1_000_000n),
      },
      body: {
        type: 'dyn',
        read: ({ request }) => (request.body === undefined ? undefined : read(request.body)),
      },
      pathVariables: {
        find:
          (name) =>
          ({ request }) =>
            request.captures.get(name),
      },
      query: {
        find:
          (name) =>
          ({ request }) => {
            const found = findQueryParameter(request.query, name);
            return found.kind === 'ambiguous' ? ambiguous : found.kind === 'value' ? found.value : undefined;
          },
      },
      headers: {
        find: (name) => {
          const lower = name.toLowerCase();
          return ({ head }) => {
            const values = headerValues(head, lower);
            // Two lines of one name: the upstream might read the other one.
            return values.length > 1 ? ambiguous : values[0];
          };
        },
      },
    },
  },
};

const ofRequest = /^(?:client\.|request\.(?!time$))/;

const longestText = 200;

/** Compiles one `rule`; else all that is wrong with it, by place in its text. */
export function compileRule(source: string): Rule | { readonly problems: readonly ExpressionProblem[] } {
  const expression = compileExpression(source, ruleVocabulary);
  if ('problems' in expression) return expression;
  const { asked, reads, paths, holds } = expression;
  const namesOf = (lookup: string): RuleName[] => asked.filter(({ of }) => of === lookup);
  const line = source.replace(/\s+/g, ' ').trim();
  const shown = line.length > longestText ? `${line.slice(0, longestText)}…` : line;
  const unmet = `the config wants ${shown}`;
  return {
    text: shown,
    headerNames: namesOf('request.headers'),
    pathVariables: namesOf('request.pathVariables'),
    readsBody: reads.has('request.body'),
    readsRequest: asked.length > 0 || [...reads].some((name) => ofRequest.test(name)),
    readsClient: [...reads].some((name) => name.startsWith('client.')),
    claims: paths.flatMap(([variable, ...path]) => (variable === 'claims' ? [path] : [])),
    refusal: (input) => {
      const value = holds(input);
      if (value === true) return undefined;
      return value === false ? unmet : `${unmet}, which has no value: ${value.detail}`;
    },
  };
}
