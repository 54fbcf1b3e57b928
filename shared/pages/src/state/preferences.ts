// What the reader chose for this browser; kept in localStorage, never sent anywhere.

import { effect, signal } from '@preact/signals';
import type { Signal } from '@preact/signals';

/**
 * A kept choice. Anything stored that is not in `choices` counts as the default; null takes any
 * text, which its reader then has to judge.
 */
export function preference<T extends string>(
  name: string,
  initial: T,
  choices: readonly T[] | null,
): Signal<T> {
  const key = `headframe.${name}`;
  const stored = read(key) as T | null;
  const isKnown = stored !== null && (choices === null || choices.includes(stored));
  const choice = signal<T>(isKnown ? stored : initial);
  effect(() => write(key, choice.value));
  return choice;
}

function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null; // storage may be forbidden; the page works without it
  }
}

function write(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // the choice then lasts as long as the page
  }
}

export type Theme = 'system' | 'light' | 'dark';
const THEMES: readonly Theme[] = ['system', 'light', 'dark'];
export const theme = preference<Theme>('theme', 'system', THEMES);

/** Single-key shortcuts can be in the way of speech input (WCAG 2.1.4): they can be turned off. */
export const shortcutsOn = preference<'on' | 'off'>('shortcuts', 'on', ['on', 'off']);

const systemIsDark = matchMedia('(prefers-color-scheme: dark)');
const systemDark = signal(systemIsDark.matches);
systemIsDark.addEventListener('change', (event) => (systemDark.value = event.matches));

/** Whether the page is dark now. */
export function isDark(): boolean {
  return theme.value === 'dark' || (theme.value === 'system' && systemDark.value);
}

/** Goes to the other of light and dark as seen now. */
export function flipTheme(): void {
  theme.value = isDark() ? 'light' : 'dark';
}

/** Keeps the document's `data-theme` in step. Returns how to stop it. */
export function startTheme(): () => void {
  return effect(() => {
    document.documentElement.dataset['theme'] = isDark() ? 'dark' : 'light';
  });
}
