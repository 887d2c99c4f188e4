import * as z from 'zod';

/** Whether what would be refused is. */
export const mode = z.enum(['enforce', 'report']);
