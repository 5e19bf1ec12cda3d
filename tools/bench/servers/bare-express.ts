// Express alone with the same JSON answer. It is the version that Nest depends on.

import { createRequire } from 'node:module';
import type express from 'express';
import { answerTo } from './answer.js';

const require = createRequire(import.meta.url);
const requireOfNest = createRequire(require.resolve('@nestjs/platform-express'));

export async function listen(): Promise<void> {
  const newExpress = requireOfNest('express') as typeof express;
  const app = newExpress();
  app.use(newExpress.json());
  app.post('/api/tokens/no-op', (req, res) => {
    const { pool = 'default', user_id = '' } = req.body as { pool?: string; user_id?: string };
    res.json(answerTo(user_id, pool));
  });
  app.listen(Number(process.env['PORT']), '127.0.0.1');
  process.on('SIGTERM', () => process.exit());
}
