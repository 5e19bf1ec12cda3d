// Every prepared statement of the service.

import * as keys from '../../libs/tokens-postgres/src/key-statements.js';
import * as past from '../../libs/tokens-postgres/src/past-statements.js';
import * as reads from '../../libs/tokens-postgres/src/read-statements.js';
import * as retention from '../../libs/tokens-postgres/src/retention-statements.js';
import * as writes from '../../libs/tokens-postgres/src/statements.js';

export interface Statement {
  readonly name: string;
  readonly text: string;
}

const isStatement = (value: unknown): value is Statement =>
  typeof value === 'object' && value !== null && 'name' in value && 'text' in value;

export const STATEMENTS = [keys, past, reads, retention, writes]
  .flatMap((file) => Object.values(file))
  .filter(isStatement);
