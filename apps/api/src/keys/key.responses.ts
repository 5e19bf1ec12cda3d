// The answers of the key routes.

import { ApiProperty, ApiSchema } from '@nestjs/swagger';
import { SCOPES, type ApiKeyPage, type ApiKeyView, type IssuedKey, type Scope } from '@app/keys';
import { TIME } from '../openapi/time.js';

@ApiSchema({ name: 'ApiKey' })
export class ApiKey implements ApiKeyView {
  @ApiProperty({ description: 'The second part of the key; no secret.', example: '0A1b2C3d4E5f' })
  readonly id: string;

  @ApiProperty({ example: 'kiosk 7' })
  readonly name: string;

  @ApiProperty({ enum: SCOPES, enumName: 'Scope', isArray: true })
  readonly scopes: readonly Scope[];

  @ApiProperty({ type: [String], nullable: true, description: 'Null: all, also those to come.' })
  readonly pools: readonly string[] | null;

  @ApiProperty(TIME)
  readonly created_at: string;

  @ApiProperty({ type: String, nullable: true, description: 'The key that gave it; null: the command line.' })
  readonly created_by: string | null;

  @ApiProperty({ ...TIME, nullable: true, description: 'When it is over; null: never.' })
  readonly expires_at: string | null;

  @ApiProperty({ ...TIME, nullable: true, description: 'Since when it is good for nothing.' })
  readonly revoked_at: string | null;

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'The key that revoked it; null: the command line, an earlier release, or it is not revoked.',
  })
  readonly revoked_by: string | null;

  @ApiProperty({
    ...TIME,
    nullable: true,
    description: 'When its secret was last changed; null: never, or by an earlier release.',
  })
  readonly rotated_at: string | null;

  @ApiProperty({ type: String, nullable: true, description: 'The key that changed it then; null: the command line.' })
  readonly rotated_by: string | null;

  @ApiProperty({ ...TIME, nullable: true, description: 'To some ten seconds; null: never.' })
  readonly last_used_at: string | null;

  @ApiProperty({ ...TIME, nullable: true, description: 'Until when the secret before the present one is good, too.' })
  readonly old_secret_until: string | null;
}

@ApiSchema({ name: 'IssuedApiKey' })
export class IssuedApiKey extends ApiKey implements IssuedKey {
  @ApiProperty({ description: 'The key itself, `tp_<id>_<secret>_<checksum>`: shown here and nowhere else.' })
  readonly key: string;
}

@ApiSchema({ name: 'ApiKeyList' })
export class ApiKeyList implements ApiKeyPage {
  @ApiProperty({ type: [ApiKey] })
  readonly keys: ApiKey[];

  @ApiProperty({ type: String, nullable: true, description: '`cursor` of the next page; null on the last one.' })
  readonly next_cursor: string | null;
}
