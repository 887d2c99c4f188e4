import * as z from 'zod';
import { access, accessWords } from './access.ts';
import { bind } from './bind.ts';
import { claims } from './claims.ts';
import { corsOrOff } from './cors.ts';
import { lazyObject } from './lazy-fields.ts';
import { replay } from './replay.ts';
import { rule, ruleWords } from './rule.ts';
import { basic } from './secret.ts';
import { flag, oneOrMore, words } from './values.ts';

const route = lazyObject({
  path: () => words().describe('Path pattern: `/a/{name}/**`. The first route whose path and method fit decides.'),
  methods: () =>
    oneOrMore(z.string().regex(/^[A-Z][A-Z0-9_-]*$/, { error: 'must be a method in capitals, such as GET' }))
      .optional()
      .describe('Methods it is for. Default: all. HEAD and OPTIONS are methods like any other.'),
  access: () => access.optional().describe(`${accessWords} Default: the tenant's.`),
  claims: () => claims.optional().describe("Conditions on claims, beside the tenant's own."),
  bind: () => bind.optional().describe("Claims that must equal parts of the request, beside the tenant's own."),
  rule: () => rule.optional().describe(`A CEL expression that must hold, beside the tenant's own. ${ruleWords}`),
  replay: () =>
    replay
      .optional()
      .describe(
        "A request here takes its token's one use: {claim, store, …}; off: it takes none. Default: the tenant's `replay`.",
      ),
  basic: () =>
    z
      .union([z.literal('off'), basic], { error: 'must be an object {user, password}, or off' })
      .optional()
      .describe(
        "User and password (HTTP Basic) that are accepted here in place of the tenant's; off: tokens alone. Default: the tenant's `basic`.",
      ),
  cors: () =>
    corsOrOff
      .optional()
      .describe(
        "Which web pages may call it (CORS), in place of the tenant's; off: none. Default: the tenant's `cors`.",
      ),
  normalizePath: () =>
    flag()
      .optional()
      .describe(
        "true: a path with dot segments, encoded slashes or `//` is judged and forwarded in its plain form instead of refused. Default: the tenant's.",
      ),
}).meta({ id: 'route' });

export type RouteConfig = z.output<typeof route>;

export const routes = z.array(route);
