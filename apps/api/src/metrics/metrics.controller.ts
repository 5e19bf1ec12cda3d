// The route for Prometheus. It is not in the OpenAPI document, since its answer is not JSON of the API.

import { Controller, Get, Header } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { prometheusContentType } from 'prom-client';
import type { Caller } from '@app/tokens';
import { RequireScope } from '../access/require-scope.decorator.js';
import { CurrentCaller } from '../http/current-caller.decorator.js';
import { Exposition } from './exposition.js';

@ApiExcludeController()
@Controller('metrics')
export class MetricsController {
  constructor(private readonly exposition: Exposition) {}

  @Get()
  @RequireScope('metrics', 'the answer')
  @Header('content-type', prometheusContentType)
  show(@CurrentCaller() { pools }: Caller): Promise<string> {
    return this.exposition.text(pools);
  }
}
