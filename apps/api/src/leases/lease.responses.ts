// The answers of the routes of leases, for the OpenAPI document only.

import { ApiProperty, ApiSchema } from '@nestjs/swagger';
import type { LeasePage, LeaseView, Metadata, SecretValue, VerificationView } from '@app/tokens';
import { TIME } from '../openapi/time.js';
import { CURSOR, FENCE, HOLDER, NAME, POOL, SECRET, UUID } from '../tokens/token.responses.js';

@ApiSchema({ name: 'Lease' })
export class Lease implements LeaseView {
  @ApiProperty(UUID)
  readonly token_id: string;

  @ApiProperty(NAME)
  readonly name: string | null;

  @ApiProperty(POOL)
  readonly pool: string;

  @ApiProperty(FENCE)
  readonly fence: number;

  @ApiProperty(HOLDER)
  readonly holder: string | null;

  @ApiProperty(UUID)
  readonly user_id: string;

  @ApiProperty(TIME)
  readonly activated_at: string;

  @ApiProperty(TIME)
  readonly expires_at: string;

  @ApiProperty({
    type: 'object',
    additionalProperties: true,
    nullable: true,
    description: 'What was given when it was allocated; null when nothing was.',
    example: { desk: 7 },
  })
  readonly metadata: Metadata | null;
}

@ApiSchema({ name: 'LeaseList' })
export class LeaseList implements LeasePage {
  @ApiProperty({ type: [Lease] })
  readonly leases: Lease[];

  @ApiProperty(CURSOR)
  readonly next_cursor: string | null;
}

@ApiSchema({ name: 'Verification' })
export class Verification implements VerificationView {
  @ApiProperty({ description: 'Whether the lease is open at this moment.' })
  readonly valid: boolean;

  @ApiProperty({ type: String, format: 'uuid', nullable: true })
  readonly token_id: string | null;

  @ApiProperty(NAME)
  readonly name: string | null;

  @ApiProperty({ type: String, ...POOL, nullable: true })
  readonly pool: string | null;

  @ApiProperty({ ...FENCE, nullable: true })
  readonly fence: number | null;

  @ApiProperty(HOLDER)
  readonly holder: string | null;

  @ApiProperty({ type: String, format: 'uuid', nullable: true })
  readonly user_id: string | null;

  @ApiProperty({ ...TIME, nullable: true })
  readonly expires_at: string | null;

  @ApiProperty({
    type: 'integer',
    minimum: 0,
    nullable: true,
    description: 'Until `expires_at`, by the clock of the database.',
    example: 41_250,
  })
  readonly expires_in_ms: number | null;

  @ApiProperty(SECRET)
  readonly secret: SecretValue | null;
}
