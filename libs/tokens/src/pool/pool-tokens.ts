// The tokens that a transaction loaded, and which of them the pool has changed, described, generated and deleted since.
// It can take changes back, so that the pool does all steps of a command or none.

import type { Thing } from './thing.js';
import type { Token, Upkeep } from './token.js';

/** The state of a token before a change. */
interface Before {
  readonly token: Token;
  readonly values: Pick<Token, 'lease' | 'freeSince' | 'lastActivatedAt' | 'thing' | 'isLeaving' | 'upkeep'>;
  readonly isHere: boolean;
  readonly isChanged: boolean;
  readonly isDescribed: boolean;
  readonly isKeptUp: boolean;
  readonly isGenerated: boolean;
  readonly isDeleted: boolean;
}

export class PoolTokens {
  readonly changed = new Set<Token>();
  /** The tokens whose thing has changed, without those that the pool has generated. */
  readonly described = new Set<Token>();
  /** The tokens whose upkeep has changed. */
  readonly keptUp = new Set<Token>();
  readonly generated = new Set<Token>();
  readonly deleted = new Set<Token>();
  readonly #here: Map<string, Token>;
  /** One entry a change, in the order of the changes. */
  readonly #undo: Before[] = [];

  constructor(tokens: readonly Token[]) {
    this.#here = new Map(tokens.map((token) => [token.id, token]));
  }

  get(id: string): Token | undefined {
    return this.#here.get(id);
  }

  /** The token of a thing of this name. */
  named(name: string): Token | undefined {
    return this.all().find(({ thing }) => thing?.name === name);
  }

  has({ id }: Token): boolean {
    return this.#here.has(id);
  }

  all(): Token[] {
    return [...this.#here.values()];
  }

  change(token: Token, { lease, freeSince, lastActivatedAt, isLeaving }: Partial<Before['values']>): void {
    this.#remember(token);
    if (isLeaving !== undefined) token.isLeaving = isLeaving;
    if (lease !== undefined) token.lease = lease;
    if (freeSince !== undefined) token.freeSince = freeSince;
    if (lastActivatedAt !== undefined) token.lastActivatedAt = lastActivatedAt;
    this.changed.add(token);
  }

  describe(token: Token, thing: Thing): void {
    this.#remember(token);
    token.thing = thing;
    this.described.add(token);
  }

  keepUp(token: Token, upkeep: Upkeep): void {
    this.#remember(token);
    token.upkeep = upkeep;
    this.keptUp.add(token);
    // A generated token is saved as it is then.
    if (!this.generated.has(token)) this.changed.add(token);
  }

  add(token: Token): void {
    this.#remember(token);
    this.#here.set(token.id, token);
    this.generated.add(token);
  }

  remove(token: Token): void {
    this.#remember(token);
    this.#here.delete(token.id);
    this.changed.delete(token);
    this.described.delete(token);
    this.keptUp.delete(token);
    if (!this.generated.delete(token)) this.deleted.add(token);
  }

  /** Returns a function that takes back every later change, and returns whether there was one. */
  savepoint(): () => boolean {
    const changes = this.#undo.length;
    return () => {
      const hasChanged = this.#undo.length > changes;
      while (this.#undo.length > changes) this.#takeBack(this.#undo.pop() as Before);
      return hasChanged;
    };
  }

  #remember(token: Token): void {
    const { lease, freeSince, lastActivatedAt, thing, isLeaving, upkeep } = token;
    this.#undo.push({
      token,
      values: { lease, freeSince, lastActivatedAt, thing, isLeaving, upkeep },
      isHere: this.#here.has(token.id),
      isChanged: this.changed.has(token),
      isDescribed: this.described.has(token),
      isKeptUp: this.keptUp.has(token),
      isGenerated: this.generated.has(token),
      isDeleted: this.deleted.has(token),
    });
  }

  #takeBack({ token, values, isHere, isChanged, isDescribed, isKeptUp, isGenerated, isDeleted }: Before): void {
    Object.assign(token, values);
    if (isHere) this.#here.set(token.id, token);
    else this.#here.delete(token.id);
    put(this.changed, token, isChanged);
    put(this.described, token, isDescribed);
    put(this.keptUp, token, isKeptUp);
    put(this.generated, token, isGenerated);
    put(this.deleted, token, isDeleted);
  }
}

function put(tokens: Set<Token>, token: Token, isIn: boolean): void {
  if (isIn) tokens.add(token);
  else tokens.delete(token);
}
