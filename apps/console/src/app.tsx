// The frame of every page, and which page is where.

import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { askForKey, givenKey, keyChanges, keyNeed, useKey } from './key.js';
import { go, path, query, serviceUrl } from './location.js';
import { keepPlaces } from './my-tickets.js';
import { Overview } from './overview/overview.js';
import { PoolPage } from './pool/pool-page.js';
import { SearchPage } from './search/search-page.js';
import { Icon } from './ui/icon.js';
import { KeyDialog } from './ui/key-dialog.js';
import { Link } from './ui/link.js';
import { ThemeSwitch } from './ui/theme-switch.js';
import './app.css';

export function App() {
  // The places in lines that this tab had before a reload.
  useEffect(() => void keepPlaces(), [givenKey.value]);
  const pool = /^\/pools\/([^/]+)$/.exec(path.value)?.[1];
  const token = /^\/tokens\/([^/]+)$/.exec(path.value)?.[1];
  const isSearch = path.value === '/search' || token !== undefined;
  const text = (token ?? query.value.get('q') ?? '').trim();
  const title = pool ?? (isSearch ? 'Search' : path.value === '/' ? 'Pools' : 'Nothing here');
  useTitle(`${title} · Token pools`);

  return (
    <>
      <a class="skip" href="#main">
        To the content
      </a>
      <header class="top">
        <div class="top-inner">
          <Link to="/" class="brand" current={path.value === '/'}>
            <Logo />
            <span>Token pools</span>
          </Link>
          {pool !== undefined && (
            <>
              <span class="crumb-mark" aria-hidden="true">
                /
              </span>
              <span class="crumb">{pool}</span>
            </>
          )}
          <Search given={isSearch ? text : null} />
          <a class="button quiet small docs" href={serviceUrl('/docs')}>
            API
          </a>
          {keyNeed.value !== 'none' ? (
            <button type="button" class="button quiet small" onClick={askForKey}>
              Enter a key
            </button>
          ) : (
            givenKey.value !== null && (
              <button type="button" class="button quiet small" onClick={() => useKey(null)}>
                Forget the key
              </button>
            )
          )}
          <ThemeSwitch />
        </div>
      </header>
      {pool !== undefined ? (
        <PoolPage key={`${pool} ${keyChanges.value}`} name={pool} />
      ) : isSearch ? (
        <SearchPage key={keyChanges.value} text={text} />
      ) : path.value === '/' ? (
        <Overview key={keyChanges.value} />
      ) : (
        <main class="page narrow" id="main" tabIndex={-1}>
          <h1>Nothing here</h1>
          <p>
            There is no page at this address. <Link to="/">All pools</Link>
          </p>
        </main>
      )}
      {keyNeed.value === 'asked' && <KeyDialog />}
    </>
  );
}

/** @param given what the page searches for, where it does */
function Search({ given }: { readonly given: string | null }) {
  const text = useSignal('');
  useEffect(() => {
    if (given !== null) text.value = given;
  }, [given]);
  return (
    <form
      class="search"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        if (text.value.trim() === '') return;
        go(`/search?${new URLSearchParams({ q: text.value.trim() }).toString()}`);
      }}
    >
      <Icon name="search" />
      <input
        type="search"
        name="q"
        aria-label="Token, user or holder, in any pool"
        placeholder="Name, token, user or holder…"
        autocomplete="off"
        spellcheck={false}
        value={text.value}
        onInput={({ currentTarget }) => (text.value = currentTarget.value)}
      />
    </form>
  );
}

function Logo() {
  return (
    <svg class="logo" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" class="logo-ground" />
      <rect x="7" y="7" width="8" height="8" rx="2" class="logo-cell" />
      <rect x="17" y="7" width="8" height="8" rx="2" class="logo-cell faint" />
      <rect x="7" y="17" width="8" height="8" rx="2" class="logo-cell faint" />
      <rect x="17" y="17" width="8" height="8" rx="2" class="logo-cell faint" />
      <path d="M17 21h8v2a2 2 0 0 1-2 2h-4a2 2 0 0 1-2-2z" class="logo-cell" />
    </svg>
  );
}

/** Another page: another title, and the reading goes on at its beginning. */
function useTitle(title: string): void {
  const isFirst = useRef(true);
  useEffect(() => {
    document.title = title;
    if (!isFirst.current) {
      scrollTo(0, 0);
      document.getElementById('main')?.focus({ preventScroll: true });
    }
    isFirst.current = false;
  }, [title]);
}
