// For Prometheus. Not in the document: its answer is none of the API's.

import { Controller, Get, Header } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { prometheusContentType } from 'prom-client';
import { Exposition } from './exposition.js';

@ApiExcludeController()
@Controller('metrics')
export class MetricsController {
  constructor(private readonly exposition: Exposition) {}

  @Get()
  @Header('content-type', prometheusContentType)
  show(): Promise<string> {
    return this.exposition.text();
  }
}
