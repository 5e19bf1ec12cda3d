// The output of the command `keys`.

import { withHiddenShown, type ApiKeyView, type IssuedKey } from '@app/keys';

export function issued({ key, ...view }: IssuedKey, isJson: boolean): string {
  if (isJson) return JSON.stringify({ key, ...view });
  return `${key}\n\nThis is the only time that it is shown. It is sent as the header "Authorization: Bearer …".\n\n${details(view)}`;
}

export function revoked(view: ApiKeyView, isJson: boolean): string {
  return isJson ? JSON.stringify(view) : `revoked: in 5 s nothing takes it any more\n\n${details(view)}`;
}

export function listed(views: readonly ApiKeyView[], isJson: boolean): string {
  if (isJson) return views.map((view) => JSON.stringify(view)).join('\n');
  const head = ['ID', 'NAME', 'SCOPES', 'POOLS', 'EXPIRES', 'LAST USED', 'ROTATED', 'STATE'];
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

const cells = (view: ApiKeyView) => [
  view.id,
  withHiddenShown(view.name),
  view.scopes.join(','),
  view.pools?.join(',') ?? 'all',
  time(view.expires_at) ?? 'never',
  time(view.last_used_at) ?? 'never',
  changed(view.rotated_at, view.rotated_by) ?? '-',
  stateOf(view),
];

function stateOf({ revoked_at, revoked_by, old_secret_until }: ApiKeyView): string {
  if (revoked_at) return `revoked ${changed(revoked_at, revoked_by)}`;
  return old_secret_until ? `two secrets until ${time(old_secret_until)}` : 'good';
}

/** When a key was changed, and by which key; no key means the command line. */
const changed = (at: string | null, by: string | null): string | null => at && `${time(at)}${by ? ` by ${by}` : ''}`;

function details(view: ApiKeyView): string {
  const [id, name, scopes, pools, expires, lastUsed, rotated, state] = cells(view);
  const lines = Object.entries({ id, name, scopes, pools, expires, 'last used': lastUsed, rotated, state });
  return lines.map(([title, cell]) => `${title.padEnd(9)}  ${cell}`).join('\n');
}

const time = (at: string | null): string | null => at && at.replace(/\.\d+Z$/, 'Z');
