// The 401 for a missing, malformed, unknown, expired or revoked key. It does not say which, so that it helps no
// guessing.

import { HttpProblem } from '../http/problem.js';

export const unauthenticated = (): HttpProblem =>
  new HttpProblem('unauthenticated', 'a key that is good must come with the request, as Authorization: Bearer tp_…');
