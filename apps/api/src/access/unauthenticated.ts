// What is answered to who shows no key that is good. Which of several reasons it is, is told to nobody.

import { HttpProblem } from '../http/problem.js';

export const unauthenticated = (): HttpProblem =>
  new HttpProblem('unauthenticated', 'a key that is good must come with the request, as Authorization: Bearer tp_…');
