// Liveness and readiness, for orchestrators and load balancers.

import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Public } from '../access/require-scope.decorator.js';
import { HttpProblem } from '../http/problem.js';
import { Problems } from '../openapi/problems.decorator.js';
import { Health, ReadyHealth } from './health.response.js';
import { Readiness } from './readiness.js';

/**
 * Anybody may ask without a key, and each look costs the database three statements, so requests of a second share one.
 */
const REMEMBERED_MS = 1000;

@Public()
@ApiTags('health')
@Controller('health')
export class HealthController {
  /** The look that is under way or younger than `REMEMBERED_MS`. */
  #look: Promise<ReadyHealth> | undefined;

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
  @Problems('unavailable', 'rate_limited')
  ready(): Promise<ReadyHealth> {
    if (this.#look === undefined) {
      const forget = (): unknown => setTimeout(() => (this.#look = undefined), REMEMBERED_MS).unref();
      this.#look = this.#lookNow();
      this.#look.then(forget, forget);
    }
    return this.#look;
  }

  async #lookNow(): Promise<ReadyHealth> {
    const obstacle = await this.readiness.obstacle();
    if (obstacle !== null) throw new HttpProblem('unavailable', obstacle, { retryAfterSeconds: 1 });
    const warning = await this.readiness.warning();
    return warning === null ? { status: 'ok' } : { status: 'ok', warning };
  }
}
