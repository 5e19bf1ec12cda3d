// API keys: their routes, and the ring that checks them.

import { Module } from '@nestjs/common';
import { ApiKeys, ApiKeyStore, KeyRing } from '@app/keys';
import { KeysController } from './keys.controller.js';
import { LastUse } from './last-use.js';

@Module({
  controllers: [KeysController],
  providers: [
    LastUse,
    { provide: ApiKeys, useFactory: (store: ApiKeyStore) => new ApiKeys(store), inject: [ApiKeyStore] },
    { provide: KeyRing, useFactory: (store: ApiKeyStore) => new KeyRing(store), inject: [ApiKeyStore] },
  ],
  exports: [KeyRing],
})
export class KeysModule {}
