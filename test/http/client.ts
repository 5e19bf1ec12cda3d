// Asks the app, and holds every answer against openapi.json.

import { Test } from 'supertest';
import { mustBeDocumented, type Answer } from '../support/documented.js';

export { mustBeA, openapi, type Answer, type Json } from '../support/documented.js';

export type Ask = (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Answer>;

export function clientOf({ url }: { readonly url: string }): Ask {
  return async (method, path, body, headers = {}) => {
    const request = new Test(url, method, path).set(headers).ok(() => true);
    if (body !== undefined) {
      // As it is: a string may be what no library would write.
      request.set({ 'content-type': 'application/json', ...headers });
      request.send(typeof body === 'string' ? body : JSON.stringify(body));
    }
    const response = await request;
    // None after HEAD, whatever the types say.
    const text = (response.text as string | undefined) ?? '';
    const answer = {
      status: response.status,
      headers: new Headers(response.headers),
      body: /json/.test(response.type) && text !== '' ? JSON.parse(text) : text,
    };
    mustBeDocumented(method, path, answer);
    return answer;
  };
}

const PROBLEM_FIELDS = ['detail', 'error', 'request_id', 'status', 'title', 'type'];

/** The answer is a problem document with all its fields, and tells nothing of the inside. */
export function expectProblem(answer: Answer, status: number, error: string): void {
  const { body, headers } = answer;
  expect({ status: answer.status, error: body.error, detail: body.detail }).toEqual({
    status,
    error,
    detail: expect.stringMatching(/\w/),
  });
  expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
  expect(Object.keys(body)).toEqual(expect.arrayContaining(PROBLEM_FIELDS));
  expect(body).toMatchObject({ status, title: expect.any(String), type: expect.stringMatching(/^urn:/) });
  expect(body.request_id).toBe(headers.get('x-request-id'));
  expect(JSON.stringify(body)).not.toMatch(/\\n +at |node_modules|\.[jt]s\b|SELECT|UPDATE|INSERT/);
}

export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
export const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,6}Z$/;
export const A_UUID = expect.stringMatching(UUID);
export const A_TIME = expect.stringMatching(TIME);
