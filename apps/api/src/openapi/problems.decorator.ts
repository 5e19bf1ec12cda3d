// Declares the errors of a route: each status with an example of each of its codes.

import { applyDecorators } from '@nestjs/common';
import { ApiExtraModels, ApiResponse, getSchemaPath } from '@nestjs/swagger';
import type { DomainErrorFacts } from '@app/tokens';
import { HttpProblem, PROBLEMS, problemDocument, type ProblemCode } from '../http/problem.js';
import { Problem } from './problem.response.js';

const EXAMPLE_REQUEST_ID = '3f0c2a54-9a3b-4d1e-8f57-0a4c1f6f2b11';

const FACTS: { readonly [Code in ProblemCode]?: DomainErrorFacts } = {
  history_dropped: { fields: { begins_after: 31_415 } },
  position_unknown: { fields: { last_seq: 1_050, begins_after: 0 } },
  ticket_ended: { fields: { end_reason: 'patience' } },
  lease_ended: { fields: { end_reason: 'ttl_expired', ended_at: '2026-11-21T09:32:00.123456Z' } },
};

/** A code; or codes that this route answers with another status than the usual one. */
export type Declared = ProblemCode | { readonly status: number; readonly codes: readonly ProblemCode[] };

/** All errors that the decorators of one route declare together. */
const declaredBy = new WeakMap<object, readonly Declared[]>();

/** The metadata key of @nestjs/swagger. Its own decorator would repeat an entry when a status is declared twice. */
const RESPONSES = 'swagger/apiResponse';

export function Problems(...declared: Declared[]): MethodDecorator & ClassDecorator {
  return (target: object, name?: string | symbol, descriptor?: PropertyDescriptor) => {
    const subject = (descriptor?.value ?? target) as object;
    const all = [...(declaredBy.get(subject) ?? []), ...declared];
    declaredBy.set(subject, all);
    const byStatus = problemsByStatus(all);
    const others = Object.entries((Reflect.getMetadata(RESPONSES, subject) ?? {}) as object);
    const kept = others.filter(([status]) => !byStatus.has(Number(status)));
    Reflect.defineMetadata(RESPONSES, Object.fromEntries(kept), subject);
    const responses = [...byStatus].map(([status, problems]) => ApiResponse(response(status, problems)));
    applyDecorators(ApiExtraModels(Problem), ...responses)(target, name, descriptor);
  };
}

function problemsByStatus(declared: readonly Declared[]): Map<number, HttpProblem[]> {
  const byStatus = new Map<number, HttpProblem[]>();
  for (const entry of declared) {
    const { status, codes } = typeof entry === 'string' ? { status: PROBLEMS[entry].status, codes: [entry] } : entry;
    const problems = codes.map((code) => new HttpProblem(code, PROBLEMS[code].title, FACTS[code], status));
    byStatus.set(status, [...(byStatus.get(status) ?? []), ...problems]);
  }
  return byStatus;
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

const RETRIED: readonly ProblemCode[] = ['unavailable', 'pool_exhausted', 'quota_exceeded', 'rate_limited'];
const RETRY_AFTER = {
  description: 'Seconds after which asking again makes sense.',
  schema: { type: 'integer' },
} as const;
