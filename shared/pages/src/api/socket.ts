// The shell around one WebSocket: does what `socket_life` decides, and nothing else.

import { signal } from '@preact/signals';
import type { ReadonlySignal } from '@preact/signals';
import { accessToken, renew } from './session';
import { IDLE, step } from './socket_life';
import type { SocketAction, SocketEvent, SocketLife } from './socket_life';
import { record } from './shapes';
import type { Json } from './shapes';

const AUTH_TIMEOUT_MS = 10_000; // a server that accepts and then says nothing

export interface SocketStatus extends SocketLife {
  /** When it came into this state, browser time. */
  sinceMs: number;
  /** When the next attempt is due, browser time; null unless waiting. */
  retryAtMs: number | null;
}

export interface LiveSocket {
  readonly path: string;
  readonly status: ReadonlySignal<SocketStatus>;
  start(): void;
  stop(): void;
  /** Tries at once instead of waiting further. */
  retry(): void;
  /** Somebody knows that frames are missing: start over. */
  suspect(): void;
}

/**
 * Makes a socket to `path` that authenticates itself, comes back by itself and hands every data
 * frame to `onFrame`. `filter` is asked at every subscription.
 */
export function liveSocket(path: string, filter: () => Json, onFrame: (frame: Json) => void): LiveSocket {
  const status = signal<SocketStatus>({ ...IDLE, sinceMs: Date.now(), retryAtMs: null });
  let socket: WebSocket | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function feed(event: SocketEvent): void {
    const { sinceMs, retryAtMs, ...life } = status.value;
    const [next, actions] = step(life, event, Math.random());
    const due = actions.find((action) => action.type === 'wait');
    const nowMs = Date.now();
    status.value = {
      ...next,
      sinceMs: next.state === life.state ? sinceMs : nowMs,
      retryAtMs: due !== undefined ? nowMs + due.delayMs : next.state === 'waiting' ? retryAtMs : null,
    };
    for (const action of actions) act(action);
  }

  function act(action: SocketAction): void {
    switch (action.type) {
      case 'open':
        return open();
      case 'send_auth':
        return socket?.send(JSON.stringify({ type: 'auth', token: `Bearer ${accessToken() ?? ''}` }));
      case 'subscribe':
        return socket?.send(JSON.stringify({ type: 'subscribe', filter: filter() }));
      case 'close':
        return drop();
      case 'renew_token':
        return void renew();
      case 'wait':
        clearTimeout(timer);
        timer = setTimeout(() => feed({ type: 'retry' }), action.delayMs);
        return;
      case 'forget_wait':
        return clearTimeout(timer);
    }
  }

  function open(): void {
    drop();
    const opened = new WebSocket(new URL(path, location.href.replace(/^http/, 'ws')));
    socket = opened;
    const impatience = setTimeout(() => {
      if (socket !== opened) return;
      drop();
      feed({ type: 'closed', code: 1006, reason: 'The server did not answer in time.' });
    }, AUTH_TIMEOUT_MS);
    opened.onopen = () => feed({ type: 'opened' });
    opened.onmessage = (message) => {
      const frame = parseFrame(message.data);
      if (frame === null) return;
      if (frame['type'] !== 'auth_ok') return onFrame(frame);
      clearTimeout(impatience);
      feed({ type: 'auth_ok' });
    };
    opened.onclose = (event) => {
      clearTimeout(impatience);
      if (socket !== opened) return; // given up before; a successor may already be open
      socket = null;
      feed({ type: 'closed', code: event.code, reason: event.reason });
    };
  }

  function drop(): void {
    const dropped = socket;
    socket = null;
    dropped?.close();
  }

  return {
    path,
    status,
    start: () => feed({ type: 'start' }),
    stop: () => feed({ type: 'stop' }),
    retry: () => feed({ type: 'retry' }),
    suspect: () => feed({ type: 'silent' }),
  };
}

function parseFrame(data: unknown): Json | null {
  try {
    return typeof data === 'string' ? record(JSON.parse(data), 'frame') : null;
  } catch {
    return null;
  }
}
