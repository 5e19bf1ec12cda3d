// The bodies and queries of the key routes.

import { MAX_OLD_SECRET_SECONDS, OLD_SECRET_SECONDS, SCOPES, type Scope } from '@app/keys';
import { POOL_NAME } from '@app/tokens';
import { CursorField, DigitsField, ListField, TextField, TimeField, WholeNumberField } from '../http/fields.js';

const MAX_POOLS = 100;

export class CreateKeyBody {
  @TextField(200, {
    description: 'For people: whose it is, or what for; without characters of control or format',
    example: 'kiosk 7',
  })
  name: string;

  @ListField({ enum: [...SCOPES], enumName: 'Scope' }, SCOPES.length, (word) => SCOPES.includes(word as Scope), {
    description: 'What the key may be used for; none that the giving key lacks',
    example: ['use', 'read'],
  })
  scopes: Scope[];

  @ListField({ type: 'string', pattern: POOL_NAME.source }, MAX_POOLS, (name) => POOL_NAME.test(name), {
    optional: true,
    nullable: true,
    description: 'For which pools; null, or left out: all, also those to come',
    example: ['desks'],
  })
  pools?: string[] | null;

  @TimeField({
    optional: true,
    nullable: true,
    description: 'When it is over; null: never. When left out, with the giving key',
    example: null,
  })
  expires_at?: string | null;
}

export class RotateKeyBody {
  @WholeNumberField(0, MAX_OLD_SECRET_SECONDS, {
    optional: true,
    description: `For how long the old secret stays good; ${OLD_SECRET_SECONDS} when left out`,
    example: 3600,
  })
  old_secret_seconds?: number;
}

export class KeysQuery {
  @DigitsField(1, 1000, { optional: true, description: 'Keys on a page; 100 when left out', example: 100 })
  limit?: string;

  @CursorField()
  cursor?: string;
}
