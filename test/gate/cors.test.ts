import { describe, expect, it } from 'vitest';
import { type Cors, type CorsSpec, compileCors, isPreflight } from '../../src/gate/cors.ts';

const spec: CorsSpec = {
  preflight: 'answer',
  origins: ['https://app.example', 'https://*.widgets.example', 'http://localhost:5173'],
  methods: undefined,
  headers: undefined,
  exposeHeaders: [],
  credentials: false,
  maxAgeS: 600,
};

function cors(more: Partial<CorsSpec> = {}): Cors {
  const compiled = compileCors({ ...spec, ...more });
  if ('problem' in compiled) throw new Error(compiled.problem);
  return compiled;
}

const preflight = (origin: string, ...more: string[]) => ({
  method: 'OPTIONS',
  headers: ['Origin', origin, 'Access-Control-Request-Method', 'PUT', ...more],
});
const asMap = (list: readonly string[]) =>
  new Map(list.flatMap((name, i) => (i % 2 === 0 ? [[name, list[i + 1]] as const] : [])));

describe('a preflight is OPTIONS with one Origin and one Access-Control-Request-Method', () => {
  it('and nothing else', () => {
    expect(isPreflight(preflight('https://a.example'))).toBe(true);
    expect(isPreflight({ ...preflight('https://a.example'), method: 'GET' })).toBe(false);
    expect(isPreflight({ method: 'OPTIONS', headers: [] })).toBe(false);
    expect(isPreflight({ method: 'OPTIONS', headers: ['Origin', 'https://a.example'] })).toBe(false);
    expect(isPreflight({ method: 'OPTIONS', headers: ['Access-Control-Request-Method', 'PUT'] })).toBe(false);
    expect(isPreflight(preflight('https://a.example', 'Origin', 'https://b.example'))).toBe(false);
    expect(isPreflight(preflight('https://a.example', 'Access-Control-Request-Method', 'GET'))).toBe(false);
  });
});

describe('an allowed origin', () => {
  it.each(['https://app.example', 'https://a.widgets.example', 'https://a.b.widgets.example', 'http://localhost:5173'])(
    '%s may read',
    (origin) => {
      expect(asMap(cors().expose(preflight(origin))).get('Access-Control-Allow-Origin')).toBe(origin);
      expect(asMap(cors().answer(preflight(origin))).get('Access-Control-Allow-Origin')).toBe(origin);
    },
  );

  it('gets what it asked for, or what is configured', () => {
    const asked = preflight('https://app.example', 'Access-Control-Request-Headers', 'X-A, bad name, x-b');
    expect(asMap(cors().answer(asked)).get('Access-Control-Allow-Methods')).toBe('PUT');
    expect(asMap(cors().answer(asked)).get('Access-Control-Allow-Headers')).toBe('X-A, x-b');
    const configured = asMap(cors({ methods: ['GET', 'POST'], headers: ['X-Token'] }).answer(asked));
    expect(configured.get('Access-Control-Allow-Methods')).toBe('GET, POST');
    expect(configured.get('Access-Control-Allow-Headers')).toBe('X-Token');
    expect(configured.get('Access-Control-Max-Age')).toBe('600');
    expect(configured.get('Vary')).toContain('Access-Control-Request-Headers');
  });

  it('may see the challenge of a refusal, and send cookies only where configured', () => {
    const exposed = asMap(cors({ exposeHeaders: ['X-Total'] }).expose(preflight('https://app.example')));
    expect(exposed.get('Access-Control-Expose-Headers')).toBe('WWW-Authenticate, X-Request-Id, Retry-After, X-Total');
    expect(exposed.has('Access-Control-Allow-Credentials')).toBe(false);
    const withCookies = asMap(cors({ credentials: true }).expose(preflight('https://app.example')));
    expect(withCookies.get('Access-Control-Allow-Credentials')).toBe('true');
  });
});

describe('any other origin gets nothing but Vary', () => {
  it.each([
    'https://evil.example',
    'http://app.example',
    'https://app.example.evil',
    'https://app.example:8443',
    'https://widgets.example',
    'https://xwidgets.example',
    'https://a.widgets.example.evil',
    'https://evil.example/.widgets.example',
    'https://evil@x.widgets.example',
    'https://evil.example#.widgets.example',
    'null',
    '',
  ])('%s', (origin) => {
    expect(cors().expose(preflight(origin))).toEqual(['Vary', 'Origin']);
    expect(asMap(cors().answer(preflight(origin))).has('Access-Control-Allow-Origin')).toBe(false);
  });
});

it('every origin may read where origins is "*", and none with credentials', () => {
  expect(
    asMap(cors({ origins: ['*'] }).expose(preflight('https://any.example'))).get('Access-Control-Allow-Origin'),
  ).toBe('*');
  expect(compileCors({ ...spec, origins: ['*'], credentials: true })).toHaveProperty('problem');
});

it.each(['app.example', 'https://app.example/', 'https://*', 'https://a.*.example', 'null'])(
  '%s is no origin',
  (origin) => {
    expect(compileCors({ ...spec, origins: [origin] })).toHaveProperty('problem');
  },
);
