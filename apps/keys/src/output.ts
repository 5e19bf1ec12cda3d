// What is printed of keys.

import type { ApiKeyView, IssuedKey } from '@app/keys';

export function issued({ key, ...view }: IssuedKey, isJson: boolean): string {
  if (isJson) return JSON.stringify({ key, ...view });
  return `${key}\n\nThis is the only time that it is shown. It is sent as the header "Authorization: Bearer …".\n\n${details(view)}`;
}

export function revoked(view: ApiKeyView, isJson: boolean): string {
  return isJson ? JSON.stringify(view) : `revoked: in 5 s nothing takes it any more\n\n${details(view)}`;
}

export function listed(views: readonly ApiKeyView[], isJson: boolean): string {
  if (isJson) return views.map((view) => JSON.stringify(view)).join('\n');
  const head = ['ID', 'NAME', 'SCOPES', 'POOLS', 'EXPIRES', 'LAST USED', 'STATE'];
  const rows = [head, ...views.map((view) => [...cells(view)])];
  const widths = head.map((_, place) => Math.max(...rows.map((row) => (row[place] as string).length)));
  return rows
    .map((row) =>
      row
        .map((cell, place) => cell.padEnd(widths[place] as number))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

const cells = ({ id, name, scopes, pools, expires_at, last_used_at, revoked_at, old_secret_until }: ApiKeyView) => [
  id,
  name,
  scopes.join(','),
  pools?.join(',') ?? 'all',
  time(expires_at) ?? 'never',
  time(last_used_at) ?? 'never',
  revoked_at
    ? `revoked ${time(revoked_at)}`
    : old_secret_until
      ? `two secrets until ${time(old_secret_until)}`
      : 'good',
];

function details(view: ApiKeyView): string {
  const [id, name, scopes, pools, expires, lastUsed, state] = cells(view);
  const lines = Object.entries({ id, name, scopes, pools, expires, 'last used': lastUsed, state });
  return lines.map(([title, cell]) => `${title.padEnd(9)}  ${cell}`).join('\n');
}

const time = (at: string | null): string | null => at && at.replace(/\.\d+Z$/, 'Z');
