// The OpenAPI document: built from the decorators of controllers and DTOs, served beside the API, and written to
// openapi.json. A second form follows OpenAPI 3.0.

import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { KEY_FORMAT } from '@app/keys';
import type { Request, Response } from 'express';
import { KeptFile } from '../http/kept-file.js';
import type { Operation as MeasuredOperation } from '../metrics/http-metrics.js';
import { VERSION } from '../version.js';
import { serveDocs } from './docs.js';
import { inOpenApi30 } from './openapi-3.0.js';

const DESCRIPTION =
  'Hands out tokens of pools, each to one user at a time, for a limited time, with an audit of all that happened.';

const REQUEST_ID = { description: 'That of the request, or a new one.', schema: { type: 'string' } } as const;

const REPLAYED = {
  description: '`true` when the answer is that of an earlier request with the same key.',
  schema: { type: 'boolean' },
} as const;

const RATE_LIMIT_LEFT = {
  description: 'With RATE_LIMIT: requests left, and the seconds after which there are more.',
  schema: { type: 'string' },
} as const;

const RATE_LIMIT_POLICY = {
  description: 'With RATE_LIMIT: how many there are in how many seconds, for the key or for the address.',
  schema: { type: 'string' },
} as const;

const RATE_LIMIT = {
  ratelimit: { $ref: '#/components/headers/RateLimit' },
  'ratelimit-policy': { $ref: '#/components/headers/RateLimitPolicy' },
} as const;

const CHALLENGE = { description: '`Bearer`: a key is asked for.', schema: { type: 'string' } } as const;

export function buildDocument(app: INestApplication): OpenAPIObject {
  const config = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('Token pool service')
    .setDescription(DESCRIPTION)
    .setVersion(VERSION)
    .setLicense('MIT', 'https://opensource.org/license/mit')
    .addServer('/')
    .addTag('tokens', 'Tokens and their leases.')
    .addTag('leases', 'Who holds what, over all pools of the key.')
    .addTag('line', 'Places in the lines of pools.')
    .addTag('upkeep', 'What happens to tokens between two users: cleaning, and out of service.')
    .addTag('pools', 'Pools, their policies and their events.')
    .addTag('short routes', 'The pool `elastic` in five short routes. Their errors carry a `message`, too.')
    .addTag('keys', 'API keys: who may do what. They count where the service runs with AUTH=keys.')
    .addTag('health', 'For those who watch the process.')
    .addSecurity('key', {
      type: 'http',
      scheme: 'bearer',
      bearerFormat: KEY_FORMAT,
      description:
        'An API key. Asked for where the service runs with AUTH=keys; each operation names the scopes that will do.',
    })
    .build();
  const document = { ...SwaggerModule.createDocument(app, config), security: [] };
  complete(document);
  return unwrapped(document) as OpenAPIObject;
}

/**
 * Serves the document at `/openapi.json` and `/openapi-3.0.json`, and a page to read and try it at `/docs`. The first
 * use builds it, so that it does not delay the start.
 * @returns the document, built at most once
 */
export function serveDocument(app: INestApplication): () => OpenAPIObject {
  let document: OpenAPIObject | undefined;
  const documentOnce = (): OpenAPIObject => (document ??= buildDocument(app));
  const http = app.getHttpAdapter();
  const serve = (path: string, make: () => object): void => {
    let file: KeptFile | undefined;
    http.get(path, (req: Request, res: Response) => {
      file ??= new KeptFile('application/json; charset=utf-8', JSON.stringify(make()));
      file.send(req, res, 'no-cache');
    });
  };
  serve('/openapi.json', documentOnce);
  serve('/openapi-3.0.json', () => inOpenApi30(documentOnce()));
  serveDocs(http);
  return documentOnce;
}

/** Every method and route with its statuses; paths in Express form (`:id` for `{id}`). */
export const operationsOf = ({ paths }: OpenAPIObject): MeasuredOperation[] =>
  Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations as Record<string, Operation>).map(([method, { responses }]) => ({
      method: method.toUpperCase(),
      route: path.replaceAll(/\{(\w+)\}/g, ':$1'),
      statuses: Object.keys(responses),
    })),
  );

interface Operation {
  description?: string;
  security?: object[];
  readonly 'x-scopes'?: readonly string[];
  readonly parameters?: readonly { readonly name: string }[];
  readonly requestBody?: { readonly content: Record<string, { readonly schema: { readonly $ref: string } }> };
  readonly responses: Record<string, { headers?: Record<string, unknown> }>;
}

/** Adds what holds for every operation and no decorator can declare. */
function complete(document: OpenAPIObject): void {
  const schemas = document.components?.schemas ?? {};
  for (const path of Object.values(document.paths)) {
    for (const operation of Object.values(path as Record<string, Operation>)) {
      const { parameters = [], requestBody, responses, 'x-scopes': scopes } = operation;
      if (scopes) {
        const words = scopes.map((scope) => `\`${scope}\``).join(' or ');
        operation.description = `${operation.description} Scope of the key: ${words}.`;
        // With AUTH=open a request needs no key, so the second alternative is empty.
        operation.security = [{ key: [] }, {}];
      }
      const isIdempotent = parameters.some(({ name }) => name === 'Idempotency-Key');
      for (const [status, response] of Object.entries(responses)) {
        response.headers = {
          'x-request-id': { $ref: '#/components/headers/RequestId' },
          ...(isIdempotent && status < '300' && { 'idempotency-replayed': REPLAYED }),
          ...(scopes && (status < '300' || status === '429') && RATE_LIMIT),
          ...(status === '401' && { 'www-authenticate': CHALLENGE }),
          ...response.headers,
        };
      }
      // The API refuses unknown fields.
      const name = requestBody?.content['application/json']?.schema.$ref.split('/').at(-1) ?? '';
      if (name in schemas) Object.assign(schemas[name] as object, { additionalProperties: false });
    }
  }
  const headers = { RequestId: REQUEST_ID, RateLimit: RATE_LIMIT_LEFT, RateLimitPolicy: RATE_LIMIT_POLICY };
  document.components = { ...document.components, headers };
}

/** Replaces `allOf` of a single schema, in which the library wraps references to enums, by the schema itself. */
function unwrapped(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(unwrapped);
  if (typeof node !== 'object' || node === null) return node;
  const { allOf, ...rest } = node as { allOf?: unknown[] };
  const same = Array.isArray(allOf) && allOf.length === 1 ? { ...(allOf[0] as object), ...rest } : node;
  return Object.fromEntries(Object.entries(same).map(([key, value]) => [key, unwrapped(value)]));
}
