import * as z from 'zod';

export const access = z.enum(['required', 'optional', 'public'], { error: 'must be required, optional or public' });

export const accessWords =
  '`required`: a valid token. `optional`: no token passes without identity, a bad one is refused. `public`: no token is looked at, and none travels on.';
