// The documentation page: Swagger UI's own files. Each is read and compressed once.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, extname, join } from 'node:path';
import { NotFoundException, type HttpServer } from '@nestjs/common';
import type { Request, Response } from 'express';
import { KeptFile } from '../http/kept-file.js';
import { DOCS_HEADERS } from '../http/page-headers.js';

const FILES = ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png'];
const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.png': 'image/png',
};

/** @param folder the URL of the folder of its files, relative to the page's own */
const page = (folder: string): string => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <title>Token pool service</title>
    <link rel="icon" type="image/png" href="${folder}favicon-32x32.png" />
    <link rel="stylesheet" href="${folder}swagger-ui.css" />
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="${folder}swagger-ui-bundle.js"></script>
    <script src="${folder}swagger-ui-init.js"></script>
  </body>
</html>
`;

/** Finds the document relative to the script's own URL, so that it also works behind a proxy's prefix. */
const INIT = `SwaggerUIBundle({
  url: new URL('../openapi.json', document.currentScript.src).href,
  dom_id: '#swagger-ui',
  deepLinking: true,
});
`;

/** Serves the page at `/docs` and its files below it. */
export function serveDocs(http: HttpServer): void {
  const files = new Map<string, KeptFile>();
  const html = 'text/html; charset=utf-8';
  const pages = { '/docs': new KeptFile(html, page('docs/')), '/docs/': new KeptFile(html, page('./')) };
  for (const path of ['/docs', '/docs/'] as const) {
    http.get(path, (req: Request, res: Response) => send(req, res, pages[req.path.endsWith('/') ? '/docs/' : '/docs']));
  }
  http.get('/docs/:file', (req: Request, res: Response) => {
    const name = req.params['file'] as string;
    const file = files.get(name) ?? read(name);
    if (file === undefined) throw new NotFoundException();
    send(req, res, file);
    files.set(name, file);
  });
}

function read(name: string): KeptFile | undefined {
  if (name === 'swagger-ui-init.js') return new KeptFile(TYPES['.js']!, INIT);
  if (!FILES.includes(name)) return undefined;
  // swagger-ui-dist is a dependency of @nestjs/swagger, not of ours.
  const { resolve } = createRequire(createRequire(import.meta.url).resolve('@nestjs/swagger'));
  const folder = dirname(resolve('swagger-ui-dist/package.json'));
  return new KeptFile(TYPES[extname(name)]!, readFileSync(join(folder, name)));
}

function send(req: Request, res: Response, file: KeptFile): void {
  for (const [name, value] of DOCS_HEADERS) res.setHeader(name, value);
  file.send(req, res, 'no-cache');
}
