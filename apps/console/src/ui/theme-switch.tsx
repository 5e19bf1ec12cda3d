// Switches between light, dark and the system's theme. The browser remembers the choice.

import { effect, signal } from '@preact/signals';
import { recall, remember } from '../storage.js';
import { Icon, type IconName } from './icon.js';

const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const KEY = 'token-pool.theme';

export const theme = signal<Theme>(stored());

/** Whether the system's theme is dark. */
const systemIsDark = matchMedia('(prefers-color-scheme: dark)');
const systemDark = signal(systemIsDark.matches);
systemIsDark.addEventListener('change', ({ matches }) => (systemDark.value = matches));

/** A value that changes with every change of colours, for canvases, which do not follow the style sheet. */
export const paint = (): string => `${theme.value} ${systemDark.value}`;

effect(() => {
  const { documentElement } = document;
  if (theme.value === 'system') delete documentElement.dataset['theme'];
  else documentElement.dataset['theme'] = theme.value;
  remember('localStorage', KEY, theme.value);
});

const NAMES: Readonly<Record<Theme, { readonly icon: IconName; readonly words: string }>> = {
  system: { icon: 'system', words: 'as the system' },
  light: { icon: 'light', words: 'light' },
  dark: { icon: 'dark', words: 'dark' },
};

export function ThemeSwitch() {
  const next = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length]!;
  const words = `Colours: ${NAMES[theme.value].words}. Change to ${NAMES[next].words}`;
  return (
    <button type="button" class="icon-button" title={words} onClick={() => (theme.value = next)}>
      <Icon name={NAMES[theme.value].icon} />
      <span class="unseen">{words}</span>
    </button>
  );
}

function stored(): Theme {
  return THEMES.find((name) => name === recall('localStorage', KEY)) ?? 'system';
}
