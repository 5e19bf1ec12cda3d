// For Prometheus. Not in the document: its answer is none of the API's.

import { Controller, Get, Header } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { prometheusContentType } from 'prom-client';
import type { Caller } from '@app/tokens';
import { Needs } from '../access/needs.decorator.js';
import { By } from '../http/by.decorator.js';
import { Exposition } from './exposition.js';

@ApiExcludeController()
@Controller('metrics')
export class MetricsController {
  constructor(private readonly exposition: Exposition) {}

  @Get()
  @Needs('metrics', 'the answer')
  @Header('content-type', prometheusContentType)
  show(@By() { pools }: Caller): Promise<string> {
    return this.exposition.text(pools);
  }
}
