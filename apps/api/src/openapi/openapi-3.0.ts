// Translates the document to OpenAPI 3.0, for tools that do not support 3.1. It translates only the features that our
// document uses; the linters in the tests find any other.

import type { OpenAPIObject } from '@nestjs/swagger';

export function inOpenApi30(document: OpenAPIObject): OpenAPIObject {
  const schemas = document.components?.schemas as Record<string, Node> | undefined;
  const typeOf = ({ type, $ref }: Node): unknown => type ?? schemas?.[$ref?.split('/').at(-1) ?? '']?.type;

  function older(node: unknown): unknown {
    if (Array.isArray(node)) return node.map(older);
    if (typeof node !== 'object' || node === null) return node;
    const copy = Object.fromEntries(
      Object.entries(node).map(([key, value]) => [key, DATA.has(key) ? value : older(value)]),
    );
    return withoutNull(withBareReference(withLeastExcluded(copy)), typeOf);
  }

  return { ...(older(document) as OpenAPIObject), openapi: '3.0.3' };
}

interface Node {
  readonly $ref?: string;
  readonly type?: unknown;
  readonly anyOf?: readonly Node[];
  readonly exclusiveMinimum?: unknown;
}

/** Fields that contain values, not schemas. */
const DATA: ReadonlySet<string> = new Set(['example', 'examples', 'enum', 'default']);

/** 3.1 has the type `null`; 3.0 has `nullable: true` beside another type. */
function withoutNull(node: Node, typeOf: (schema: Node) => unknown): Node {
  const { type, anyOf, ...rest } = node;
  if (Array.isArray(type) && type.includes('null')) {
    return { ...rest, type: type.find((name) => name !== 'null') as unknown, nullable: true } as Node;
  }
  const [other, ...others] = anyOf?.filter((schema) => schema.type !== 'null') ?? [];
  if (!other || others.length > 0) return node;
  const onlyType = typeOf(other);
  // `nullable` needs a type, so where there are several, 3.0 allows everything.
  return (onlyType === undefined ? rest : { ...rest, type: onlyType, nullable: true, allOf: [other] }) as Node;
}

/** 3.0 ignores all fields beside `$ref`. */
function withBareReference(node: Node): Node {
  const { $ref, ...rest } = node;
  return $ref === undefined || Object.keys(rest).length === 0 ? node : ({ ...rest, allOf: [{ $ref }] } as Node);
}

/** In 3.1 `exclusiveMinimum` is a number; in 3.0 it is a flag beside `minimum`. */
function withLeastExcluded(node: Node): Node {
  const { exclusiveMinimum } = node;
  return typeof exclusiveMinimum === 'number'
    ? ({ ...node, minimum: exclusiveMinimum, exclusiveMinimum: true } as Node)
    : node;
}
