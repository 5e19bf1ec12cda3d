// The console: its files, and its one page at every other address below /console.

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
  // Relative, as all that the console is told: a proxy may serve it below a path of its own.
  @Redirect('console', 302)
  home(): void {}

  @Get('console/assets/:name')
  asset(@Req() req: Request, @Res() res: Response): void {
    const file = this.files.find(`assets/${req.params['name'] as string}`);
    if (!file) throw new HttpProblem('route_not_found', 'the console has no such file');
    // Its name changes with its content.
    send(req, res, file, 'public, max-age=31536000, immutable');
  }

  @Get(['console', 'console/*path'])
  page(@Req() req: Request, @Res() res: Response): void {
    // As the browser has it: what is routed by may have been put into another form.
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
