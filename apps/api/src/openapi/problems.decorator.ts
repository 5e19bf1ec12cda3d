// Declares the errors of a route: each status with an example of each of its codes.

import { applyDecorators } from '@nestjs/common';
import { ApiExtraModels, ApiResponse, getSchemaPath } from '@nestjs/swagger';
import type { DomainErrorFacts } from '@app/tokens';
import { HttpProblem, PROBLEMS, problemDocument, type ProblemCode } from '../http/problem.js';
import { Problem } from './problem.response.js';

const EXAMPLE_REQUEST_ID = '3f0c2a54-9a3b-4d1e-8f57-0a4c1f6f2b11';

const FACTS: { readonly [Code in ProblemCode]?: DomainErrorFacts } = {
  lease_ended: { fields: { end_reason: 'ttl_expired', ended_at: '2026-11-21T09:32:00.123456Z' } },
};

/** A code, or a status under which a route answers codes that have another one elsewhere. */
export type Declared = ProblemCode | { readonly status: number; readonly codes: readonly ProblemCode[] };

export function Problems(...declared: Declared[]): MethodDecorator & ClassDecorator {
  const byStatus = new Map<number, HttpProblem[]>();
  for (const entry of declared) {
    const { status, codes } = typeof entry === 'string' ? { status: PROBLEMS[entry].status, codes: [entry] } : entry;
    const problems = codes.map((code) => new HttpProblem(code, PROBLEMS[code].title, FACTS[code], status));
    byStatus.set(status, [...(byStatus.get(status) ?? []), ...problems]);
  }
  const responses = [...byStatus].map(([status, problems]) => ApiResponse(response(status, problems)));
  return applyDecorators(ApiExtraModels(Problem), ...responses);
}

function response(status: number, problems: readonly HttpProblem[]) {
  const titles = problems.map(({ code }) => PROBLEMS[code].title);
  const examples = problems.map((problem) => [
    problem.code,
    { summary: PROBLEMS[problem.code].title, value: problemDocument(problem, EXAMPLE_REQUEST_ID) },
  ]);
  return {
    status,
    description: `${[...new Set(titles)].join('; ')}.`,
    headers: problems.some(({ code }) => RETRIED.includes(code)) ? { 'retry-after': RETRY_AFTER } : undefined,
    content: {
      'application/problem+json': {
        schema: { $ref: getSchemaPath(Problem) },
        examples: Object.fromEntries(examples) as Record<string, { summary: string; value: unknown }>,
      },
    },
  };
}

const RETRIED: readonly ProblemCode[] = ['unavailable', 'pool_exhausted', 'quota_exceeded'];
const RETRY_AFTER = {
  description: 'Seconds after which asking again makes sense.',
  schema: { type: 'integer' },
} as const;
