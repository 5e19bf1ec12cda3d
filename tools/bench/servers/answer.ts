// The answer of the servers that do nothing: as long as the service's, and built from the request.

import type { GrantAnswer } from '../../../apps/api/src/tokens/token.responses.js';

export const answerTo = (userId: string, pool: string): GrantAnswer => ({
  token_id: '0078105e-843b-4a32-812c-f5cca618c749',
  user_id: userId,
  name: null,
  attributes: null,
  secret: null,
  holder: null,
  pool,
  status: 'active',
  lease_id: '00000000-0001-8771-af32-ffa30eed2cd0',
  fence: 1234567,
  activated_at: '2026-11-21T10:52:09.259067Z',
  expires_at: '2026-11-21T10:54:09.259067Z',
  evicted: {
    user_id: '7d2f7a54-5b1c-4d0e-9c3a-1f2e3d4c5b6a',
    holder: null,
    fence: 1234467,
    activated_at: '2026-11-21T10:52:08.259067Z',
  },
});
