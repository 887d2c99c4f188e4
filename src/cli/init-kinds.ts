export const initKinds = ['oidc', 'jwks', 'secret', 'sidecar', 'egress'] as const;
export type InitKind = (typeof initKinds)[number];

/** What each kind is for, in a line. */
export const initKindTexts: Readonly<Record<InitKind, string>> = {
  oidc: 'tokens of an OpenID Connect issuer (Keycloak, Auth0, Entra ID, Cognito …)',
  jwks: 'tokens whose keys are published as a JWK set',
  secret: 'tokens signed with a secret that both sides have',
  sidecar: 'beside an app in one pod, with the tokens of an OpenID Connect issuer',
  egress: 'the other way: requests to an API get a token of yours',
};
