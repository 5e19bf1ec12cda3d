// Serves the console: its files below /console/assets, and its single page at every other path below /console.

import { Controller, Get, Redirect, Req, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { Public } from '../access/require-scope.decorator.js';
import type { KeptFile } from '../http/kept-file.js';
import { CONSOLE_HEADERS } from '../http/page-headers.js';
import { HttpProblem } from '../http/problem.js';
import { ConsoleFiles } from './console-files.js';

@Public()
@ApiExcludeController()
@Controller()
export class ConsoleController {
  constructor(private readonly files: ConsoleFiles) {}

  @Get()
  // Relative, so that it also works behind a proxy that serves the console below a prefix.
  @Redirect('console', 302)
  home(): void {}

  @Get('console/assets/:name')
  asset(@Req() req: Request, @Res() res: Response): void {
    const file = this.files.find(`assets/${req.params['name'] as string}`);
    if (!file) throw new HttpProblem('route_not_found', 'the console has no such file');
    // Its name contains a hash of its content.
    send(req, res, file, 'public, max-age=31536000, immutable');
  }

  @Get(['console', 'console/*path'])
  page(@Req() req: Request, @Res() res: Response): void {
    // The depth must match the browser's URL; the adapter may have normalised the one that is routed.
    const { sentUrl = req.originalUrl } = req as Request & { readonly sentUrl?: string };
    const file = this.files.page(sentUrl.split('?', 1)[0]!.split('/').length - 2);
    if (!file) throw new HttpProblem('route_not_found', 'the console is not built: npm run build');
    send(req, res, file, 'no-cache');
  }
}

function send(req: Request, res: Response, file: KeptFile, caching: string): void {
  for (const [name, value] of CONSOLE_HEADERS) res.setHeader(name, value);
  file.send(req, res, caching);
}
