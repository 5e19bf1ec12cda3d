// Every prepared statement of the service.

import * as keys from '../../libs/postgres/src/keys/key-statements.js';
import * as past from '../../libs/postgres/src/reading/past-statements.js';
import * as feed from '../../libs/postgres/src/reading/feed-statements.js';
import * as pools from '../../libs/postgres/src/reading/pool-statements.js';
import * as tokens from '../../libs/postgres/src/reading/token-statements.js';
import * as retention from '../../libs/postgres/src/audit/retention-statements.js';
import * as stored from '../../libs/postgres/src/audit/stored-statements.js';
import * as ofAll from '../../libs/postgres/src/schema/statements.js';
import * as line from '../../libs/postgres/src/commands/line-statements.js';
import * as tickets from '../../libs/postgres/src/reading/ticket-statements.js';
import * as writes from '../../libs/postgres/src/commands/statements.js';

export interface Statement {
  readonly name: string;
  readonly text: string;
}

const isStatement = (value: unknown): value is Statement =>
  typeof value === 'object' && value !== null && 'name' in value && 'text' in value;

export const STATEMENTS = [keys, past, feed, pools, tokens, retention, stored, ofAll, writes, line, tickets]
  .flatMap((file) => Object.values(file))
  .flatMap((value) => (isStatement(value) ? value : Object.values<unknown>(value)))
  .filter(isStatement);
