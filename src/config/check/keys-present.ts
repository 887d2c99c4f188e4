import { refuse, type TenantCheck, warn } from './tenant-facts.ts';

/** A tenant whose tokens must be checked needs something to check them with. */
export const keysPresent: TenantCheck = (facts, context) => {
  const { config } = facts.tenant;
  const hasKeys = [config.secret, config.keys, config.jwks, config.discovery, config.basic].some(
    (one) => one !== undefined,
  );
  const isPublic = config.access === 'public' && facts.routes.every(({ access }) => access === 'public');
  if (!hasKeys && !isPublic) {
    const hint = 'give it a secret, keys, jwks or discovery; or access: public, which looks at no token';
    refuse(facts, context, [], { message: 'has no keys', hint });
  }
};

/** Keys by jwks or discovery sign for all of a provider's clients: without audience any of their tokens would do. */
export const audienceNamed: TenantCheck = (facts, context) => {
  const { audience, jwks, discovery } = facts.tenant.config;
  const source = jwks === undefined ? 'discovery' : 'jwks';
  if (audience !== undefined || (jwks === undefined && discovery === undefined)) return;
  const message = 'without audience a token that its provider made for anyone else is accepted';
  warn(facts, context, [source], { message, hint: 'set audience, or audience: any' });
};

/** The same for the issuer, where discovery is not the only source and so does not name it. */
export const issuerNamed: TenantCheck = (facts, context) => {
  const { issuer, discovery, secret, keys, jwks, match } = facts.tenant.config;
  if (discovery === undefined || issuer !== undefined) return;
  if (match?.every((alternative) => alternative.issuer !== undefined)) return;
  if (secret === undefined && keys === undefined && jwks === undefined) return;
  const message = 'beside other keys, discovery does not say which issuer a token must name';
  warn(facts, context, ['discovery'], { message, hint: 'set issuer' });
};

export const upstreamPresent: TenantCheck = (facts, context) => {
  if (facts.tenant.config.upstream !== undefined || context.globalUpstream) return;
  refuse(facts, context, [], {
    message: 'has no upstream, and there is no top-level one',
    hint: 'e.g. upstream: http://127.0.0.1:3000 at the top',
  });
};
