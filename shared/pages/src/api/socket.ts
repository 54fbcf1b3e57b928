// The shell around one WebSocket: does what `socket_life` decides, and nothing else.

import { signal } from '@preact/signals';
import type { ReadonlySignal } from '@preact/signals';
import { accessToken, renew } from './session';
import { IDLE, step } from './socket_life';
import type { SocketAction, SocketEvent, SocketLife } from './socket_life';
import { record } from './shapes';
import type { Json } from './shapes';

const AUTH_TIMEOUT_MS = 10_000; // a server that accepts and then says nothing
const CHECK_EVERY_MS = 5_000;
const PING_AFTER_MS = 15_000; // of silence; a quiet site is silent for long
const PONG_WITHIN_MS = 10_000;

/** Of another life than the server's, so that it sends the newest value of everything. */
const FROM_THE_BEGINNING = 'page-0';

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
  /** There is a newer token. */
  renewed(): void;
}

/**
 * Makes a socket to `path` that authenticates itself, comes back by itself, goes on where it was
 * cut and hands every frame to `onFrame`. `filter` is asked at every subscription.
 */
export function liveSocket(path: string, filter: () => Json, onFrame: (frame: Json) => void): LiveSocket {
  const status = signal<SocketStatus>({ ...IDLE, sinceMs: Date.now(), retryAtMs: null });
  let socket: WebSocket | null = null;
  let cursor = FROM_THE_BEGINNING;
  let heardMs = 0;
  let pingedMs = 0;
  let retryTimer: ReturnType<typeof setTimeout> | undefined;
  let checkTimer: ReturnType<typeof setInterval> | undefined;

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
        return send({ type: 'auth', token: `Bearer ${accessToken() ?? ''}` });
      case 'subscribe':
        return send({ type: 'subscribe', filter: filter(), resume: cursor });
      case 'close':
        return drop();
      case 'renew_token':
        return void renew();
      case 'wait':
        clearTimeout(retryTimer);
        retryTimer = setTimeout(() => feed({ type: 'retry' }), action.delayMs);
        return;
      case 'forget_wait':
        return clearTimeout(retryTimer);
    }
  }

  function send(message: Json): void {
    if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
  }

  function open(): void {
    drop();
    const opened = new WebSocket(new URL(path, location.href.replace(/^http/, 'ws')));
    socket = opened;
    heardMs = Date.now();
    pingedMs = 0;
    checkTimer = setInterval(checkLife, CHECK_EVERY_MS);
    const impatience = setTimeout(() => {
      drop();
      feed({ type: 'closed', code: 1006, reason: 'The server did not answer in time.' });
    }, AUTH_TIMEOUT_MS);
    opened.onopen = () => feed({ type: 'opened' });
    opened.onmessage = (message) => {
      if (socket !== opened) return;
      heardMs = Date.now();
      const frame = parseFrame(message.data);
      if (frame === null) return;
      if (frame['type'] === 'auth_ok') {
        clearTimeout(impatience);
        feed({ type: 'auth_ok' });
        return;
      }
      if (typeof frame['cursor'] === 'string') cursor = frame['cursor'];
      onFrame(frame);
    };
    opened.onclose = (event) => {
      clearTimeout(impatience);
      if (socket !== opened) return; // given up before; a successor may already be open
      drop();
      feed({ type: 'closed', code: event.code, reason: event.reason });
    };
  }

  /** A connection cut without a word looks open for minutes: only an answer proves it is not. */
  function checkLife(): void {
    if (status.value.state !== 'live') return;
    const nowMs = Date.now();
    const isAsked = pingedMs > heardMs;
    if (isAsked && nowMs - pingedMs > PONG_WITHIN_MS) return feed({ type: 'silent' });
    if (isAsked || nowMs - heardMs < PING_AFTER_MS) return;
    pingedMs = nowMs;
    send({ type: 'ping' });
  }

  function drop(): void {
    const dropped = socket;
    socket = null;
    clearInterval(checkTimer);
    dropped?.close();
  }

  return {
    path,
    status,
    start: () => {
      cursor = FROM_THE_BEGINNING;
      feed({ type: 'start' });
    },
    stop: () => feed({ type: 'stop' }),
    retry: () => feed({ type: 'retry' }),
    renewed: () => feed({ type: 'renewed' }),
  };
}

function parseFrame(data: unknown): Json | null {
  try {
    return typeof data === 'string' ? record(JSON.parse(data), 'frame') : null;
  } catch {
    return null;
  }
}
