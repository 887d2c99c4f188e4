import { writeFileSync } from 'node:fs';
import { buildPageDocument, pageDocumentPath } from './build-page.ts';

writeFileSync(pageDocumentPath, await buildPageDocument());
