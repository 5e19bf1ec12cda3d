// For whoever watches the process: is it alive, and can it serve.

import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Public } from '../access/needs.decorator.js';
import { HttpProblem } from '../http/problem.js';
import { Problems } from '../openapi/problems.decorator.js';
import { Health, ReadyHealth } from './health.response.js';
import { Readiness } from './readiness.js';

@Public()
@ApiTags('health')
@Controller('health')
export class HealthController {
  constructor(private readonly readiness: Readiness) {}

  @Get('live')
  @ApiOperation({
    operationId: 'getLiveness',
    summary: 'Whether the process answers',
    description: 'It asks nobody else for that.',
  })
  @ApiOkResponse({ type: Health, description: 'It does.' })
  live(): Health {
    return { status: 'ok' };
  }

  @Get('ready')
  @ApiOperation({
    operationId: 'getReadiness',
    summary: 'Whether the database can be reached and is migrated',
    description: 'Until then, send requests elsewhere.',
  })
  @ApiOkResponse({ type: ReadyHealth, description: 'It can, and is.' })
  @Problems('unavailable')
  async ready(): Promise<ReadyHealth> {
    const obstacle = await this.readiness.obstacle();
    if (obstacle !== null) throw new HttpProblem('unavailable', obstacle, { retryAfterSeconds: 1 });
    const warning = await this.readiness.warning();
    return warning === null ? { status: 'ok' } : { status: 'ok', warning };
  }
}
