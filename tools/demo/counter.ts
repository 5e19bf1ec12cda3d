// Calls a pool over HTTP, and gives the people at the counter their names.

import { randomUUID } from 'node:crypto';
import type { EventView, FeedPage, PoolView, TokenPage, TokenView } from '@app/tokens';

export interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

export class Service {
  constructor(readonly url: string) {}

  async ask(method: string, path: string, body?: unknown): Promise<Answer> {
    const response = await fetch(new URL(path, this.url), {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }

  /** @throws Error for an answer other than a success */
  async get<T>(path: string): Promise<T> {
    const { status, body } = await this.ask('GET', path);
    if (status !== 200) throw new Error(`GET ${path} answered ${status}: ${String(body['detail'])}`);
    return body as T;
  }

  pool(name: string): Promise<PoolView> {
    return this.get(`/api/pools/${name}`);
  }

  async feed(pool: string, after = 0): Promise<EventView[]> {
    const all: EventView[] = [];
    for (;;) {
      const { events } = await this.get<FeedPage>(
        `/api/pools/${pool}/events?limit=1000&after=${all.at(-1)?.seq ?? after}`,
      );
      if (events.length === 0) return all;
      all.push(...events);
    }
  }

  async tokens(pool: string): Promise<TokenView[]> {
    const all: TokenView[] = [];
    for (let cursor = ''; ;) {
      const page = await this.get<TokenPage>(`/api/tokens?pool=${pool}${cursor}`);
      all.push(...page.tokens);
      if (page.next_cursor === null) return all;
      cursor = `&cursor=${page.next_cursor}`;
    }
  }
}

/** Names for ids, which make the timeline readable. */
export class Names {
  readonly #users = new Map<string, string>();
  readonly #tokens = new Map<string, string>();

  idOf(name: string): string {
    for (const [id, known] of this.#users) if (known === name) return id;
    const id = randomUUID();
    this.#users.set(id, name);
    return id;
  }

  user(id: unknown): string {
    return this.#users.get(String(id)) ?? 'somebody';
  }

  token(id: unknown): string {
    const known = this.#tokens.get(String(id));
    if (known) return known;
    const name = `token ${String.fromCharCode(65 + (this.#tokens.size % 26))}`;
    this.#tokens.set(String(id), name);
    return name;
  }
}
