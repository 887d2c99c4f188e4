import { writeFileSync } from 'node:fs';
import { buildReference, referencePath } from './build-reference.ts';

writeFileSync(referencePath, buildReference());
