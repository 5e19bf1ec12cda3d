// Creates the pools `default` and `elastic`, or brings them to the configured policy, before the first request.

import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { DEFAULT_POOL, DomainError, ELASTIC_POOL, openPool, PoolReader, TokenPoolService } from '@app/tokens';
import { CONFIG, ConfigError, type Config } from './config.js';

@Injectable()
export class FirstPools implements OnModuleInit {
  constructor(
    private readonly service: TokenPoolService,
    private readonly pools: PoolReader,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** @throws ConfigError when the pool `default` has more tokens than POOL_SIZE */
  async onModuleInit(): Promise<void> {
    await this.#openDefault();
    const { elasticPoolSize: size, elasticTtlSeconds: ttlSeconds, elasticIdleTtlSeconds: idleTtlSeconds } = this.config;
    const policy = { size, ttlSeconds, idleTtlSeconds };
    await openPool(this.service, this.pools, { name: ELASTIC_POOL, kind: 'elastic', policy });
  }

  async #openDefault(): Promise<void> {
    const { poolSize: size, growPoolTo: growTo, tokenTtlSeconds: ttlSeconds } = this.config;
    const policy = { size, ttlSeconds };
    try {
      await openPool(this.service, this.pools, { name: DEFAULT_POOL, kind: 'fixed', policy, growTo });
    } catch (error) {
      if (!(error instanceof DomainError) || error.code !== 'invalid_request') throw error;
      throw new ConfigError(`POOL_SIZE is "${size}"; ${error.message}`);
    }
  }
}
