// The answers of the routes of things, for the OpenAPI document only.

import { ApiProperty, ApiSchema } from '@nestjs/swagger';
import type { ImportResult } from '@app/tokens';

const COUNT = { type: 'integer', minimum: 0 } as const;

@ApiSchema({ name: 'Import' })
export class ImportAnswer implements ImportResult {
  @ApiProperty({ ...COUNT, description: 'Tokens that the pool did not have.', example: 2 })
  readonly added: number;

  @ApiProperty({ ...COUNT, description: 'Tokens of which something differs now.', example: 1 })
  readonly changed: number;

  @ApiProperty({ ...COUNT, description: 'Tokens that were so already.', example: 97 })
  readonly unchanged: number;

  @ApiProperty({ ...COUNT, description: 'Tokens that were not in the list, and free.', example: 0 })
  readonly deleted: number;

  @ApiProperty({
    ...COUNT,
    description: 'Tokens that were not in the list and are held: each is deleted at the end of its lease.',
    example: 0,
  })
  readonly draining: number;
}
