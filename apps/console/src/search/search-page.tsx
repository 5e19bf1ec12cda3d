// Finds what an id or a name belongs to: a token, or a user that holds tokens.

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { abreast } from '../abreast.js';
import { api, ApiError, type Token, type TokenEvent } from '../api.js';
import { givenKey } from '../key.js';
import { goInstead } from '../location.js';
import { Link } from '../ui/link.js';
import { Problem } from '../ui/problem.js';
import { TimeLeft } from '../ui/time.js';
import { count, number, shortId } from '../words.js';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

interface Found {
  /** The newest event of the token with this id; null when no token has it. */
  readonly token: TokenEvent | null;
  /** The tokens of listed pools with this name. */
  readonly named: readonly Pick<Token, 'id' | 'pool'>[];
  /** The tokens that the user with this id or name holds. */
  readonly held: readonly Pick<Token, 'id' | 'pool' | 'name' | 'expires_at'>[];
}

export function SearchPage({ text }: { readonly text: string }) {
  const found = useSignal<Found | null>(null);
  const problem = useSignal<ApiError | null>(null);
  const progress = useSignal('');
  const isId = UUID.test(text);

  useEffect(() => {
    found.value = problem.value = null;
    if (text === '') return;
    const stop = new AbortController();
    const { signal } = stop;
    const looked = (pools: number, of: number): void => {
      if (!signal.aborted) progress.value = `${number(pools)} of ${count(of, 'pool')}`;
    };
    (isId ? find(text, signal, looked) : findName(text, signal, looked)).then(
      (result) => {
        if (signal.aborted) return;
        if (result.token && result.held.length === 0) goInstead(tokenPath(result.token.pool, text));
        found.value = result;
      },
      (error: unknown) => {
        if (!(error instanceof ApiError)) throw error;
        if (!signal.aborted) problem.value = error;
      },
    );
    return () => stop.abort();
  }, [text]);

  return (
    <main class="page narrow" id="main" tabIndex={-1}>
      <h1>Search</h1>
      {text === '' ? (
        <p class="card empty">
          Here, the whole id of a token or a user is found, and the whole name of a holder.{' '}
          <Link to="/">All pools</Link>
        </p>
      ) : problem.value ? (
        <Problem>{problem.value.message}</Problem>
      ) : found.value === null ? (
        <p>
          <span role="status">Searching all pools…</span> {progress.value}
        </p>
      ) : found.value.token === null && found.value.named.length + found.value.held.length === 0 ? (
        <p class="card empty">
          {!isId && (
            <>
              Nobody holds a token under the name <code>{text}</code> now
              {givenKey.value !== null && ', as far as this key is shown who holds what'}, and no token has that name. A
              part of an id or a name is found within a pool, in the field above its board.
            </>
          )}
          {isId && (
            <>
              No token has the id <code>{text}</code>, and no user of that id holds one now
              {givenKey.value !== null && ', as far as this key is shown who holds what'}. What a user had before is in
              the events of each pool.
            </>
          )}
        </p>
      ) : (
        <Result text={text} {...found.value} />
      )}
    </main>
  );
}

function Result({ text, token, named, held }: Found & { readonly text: string }) {
  const pools = [...new Set(held.map(({ pool }) => pool))];
  return (
    <>
      {token && (
        <p class="card">
          A token of pool {token.pool}: <Link to={tokenPath(token.pool, text)}>{shortId(text)}</Link>
        </p>
      )}
      {named.map(({ id, pool }) => (
        <p class="card" key={id}>
          A token of pool {pool}: <Link to={tokenPath(pool, id)}>{text}</Link>
        </p>
      ))}
      {pools.map((pool) => {
        const tokens = held.filter((each) => each.pool === pool);
        return (
          <section class="card" key={pool}>
            <header class="card-head">
              <h2>
                {UUID.test(text) ? (
                  <>
                    User <code>{shortId(text)}</code>
                  </>
                ) : (
                  text
                )}{' '}
                holds {count(tokens.length, 'token')} of {pool}
              </h2>
              <Link to={`/pools/${pool}?q=${encodeURIComponent(text)}`}>Show on the board</Link>
            </header>
            <ul class="found">
              {tokens.slice(0, 50).map(({ id, name, expires_at }) => (
                <li key={id}>
                  <Link to={tokenPath(pool, id)} title={id}>
                    {name ?? <code>{id}</code>}
                  </Link>
                  <span>
                    <TimeLeft until={Date.parse(expires_at!)} /> left
                  </span>
                </li>
              ))}
            </ul>
          </section>
        );
      })}
    </>
  );
}

export const tokenPath = (pool: string, id: string): string => `/pools/${pool}?token=${id.toLowerCase()}`;

async function find(id: string, signal: AbortSignal, looked: (pools: number, of: number) => void): Promise<Found> {
  const [token, pools] = await Promise.all([newestEvent(id), api.pools()]);
  const held: Token[][] = [];
  let done = 0;
  const look = async (index: number): Promise<void> => {
    held[index] = (await api.tokens({ pool: pools[index]!.name, user_id: id })).tokens;
    looked(++done, pools.length);
  };
  await abreast(pools.length, look, signal);
  return { token, named: [], held: held.flat() };
}

async function findName(
  name: string,
  signal: AbortSignal,
  looked: (pools: number, of: number) => void,
): Promise<Found> {
  const [held, pools] = await Promise.all([heldBy(name, signal), api.pools()]);
  const listed = pools.filter(({ kind }) => kind === 'listed');
  const named: Token[][] = [];
  let done = 0;
  const look = async (index: number): Promise<void> => {
    named[index] = (await api.tokens({ pool: listed[index]!.name, name })).tokens;
    looked(++done, listed.length);
  };
  await abreast(listed.length, look, signal);
  return { token: null, named: named.flat(), held };
}

async function heldBy(holder: string, signal: AbortSignal): Promise<Found['held']> {
  const held: Found['held'][number][] = [];
  for (let cursor: string | null | undefined; cursor !== null && !signal.aborted;) {
    const { leases, next_cursor } = await api.leases({ holder, cursor });
    held.push(...leases.map(({ token_id: id, pool, name, expires_at }) => ({ id, pool, name, expires_at })));
    cursor = next_cursor;
  }
  return held;
}

/** Finds a deleted token, too. */
export async function newestEvent(id: string): Promise<TokenEvent | null> {
  try {
    const { events } = await api.tokenEvents(id);
    return events[0] ?? null;
  } catch (error) {
    if (error instanceof ApiError && error.code === 'token_not_found') return null;
    throw error;
  }
}
