// Short messages to the reader: shown for a while and read out by screen readers.

import { signal } from '@preact/signals';

export interface Notice {
  id: number;
  text: string;
  weight: 'note' | 'warning';
}

const SHOWN_MS = 6_000;
const SHOWN_MAX = 3;

export const notices = signal<readonly Notice[]>([]);
let lastId = 0;

export function announce(text: string, weight: Notice['weight'] = 'note'): void {
  lastId += 1;
  const notice: Notice = { id: lastId, text, weight };
  notices.value = [...notices.value, notice].slice(-SHOWN_MAX);
  setTimeout(() => dismiss(notice.id), SHOWN_MS);
}

export function dismiss(id: number): void {
  notices.value = notices.value.filter((notice) => notice.id !== id);
}
