// The bodies and queries of the routes of leases.

import { NameField, NoteField, PoolNameField, UuidField, WholeNumberField } from '../http/fields.js';
import { PageQuery } from '../tokens/token.requests.js';

export class LeasesQuery extends PageQuery {
  @NameField({ optional: true, description: 'The name under which the leases are held', example: 'ci-4711' })
  holder?: string;

  @UuidField({ optional: true, description: 'The user that holds the leases, instead of `holder`' })
  user_id?: string;
}

export class ReleaseLeasesBody {
  @NameField({ optional: true, description: 'The name under which the leases are held', example: 'ci-4711' })
  holder?: string;

  @UuidField({ optional: true, description: 'The user that holds the leases, instead of `holder`' })
  user_id?: string;

  @PoolNameField({
    optional: true,
    description: 'Only leases of this pool; of all pools when left out',
    example: 'default',
  })
  pool?: string;

  @NoteField({
    description: 'Why they end; kept as `note` in the metadata of each `released` event',
    example: 'The job was cancelled',
  })
  note?: string;
}

export class VerifyBody {
  @UuidField({ optional: true, description: 'The handle of the lease' })
  lease_id?: string;

  @UuidField({ optional: true, description: 'The token, with `fence`, instead of `lease_id`' })
  token_id?: string;

  @WholeNumberField(1, Number.MAX_SAFE_INTEGER, {
    optional: true,
    description: 'The number of the lease, with `token_id`',
    example: 101,
  })
  fence?: number;
}
