// Creates the partitions of events, by a function that runs with the rights of the schema's owner.

import type { DataSource } from 'typeorm';
import { EventPartitions } from '@app/tokens';
import { Database } from '../connection/database.js';
import { ENSURE_PARTITIONS } from '../schema/statements.js';

export class PostgresEventPartitions extends EventPartitions {
  readonly #database: Database;

  constructor(source: DataSource) {
    super();
    this.#database = new Database(source);
  }

  async ensure(): Promise<void> {
    await this.#database.run(ENSURE_PARTITIONS, [null]);
  }
}
