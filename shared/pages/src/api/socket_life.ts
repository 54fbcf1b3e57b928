// The life of one live socket as a table of states. Pure: no socket, no clock, no randomness.

/** Where the socket stands. `refused` and `stopped` are left only by a new start. */
export type SocketState = 'idle' | 'opening' | 'authenticating' | 'live' | 'waiting' | 'refused';

export type SocketEvent =
  | { type: 'start' }
  | { type: 'opened' }
  | { type: 'auth_ok' }
  | { type: 'closed'; code: number; reason: string }
  | { type: 'silent' }
  | { type: 'renewed' }
  | { type: 'retry' }
  | { type: 'stop' };

/** What the shell does next, in order. */
export type SocketAction =
  | { type: 'open' }
  | { type: 'send_auth' }
  | { type: 'subscribe' }
  | { type: 'close' }
  | { type: 'renew_token' }
  | { type: 'wait'; delayMs: number }
  | { type: 'forget_wait' };

export interface SocketLife {
  state: SocketState;
  /** Failures since the last live time. */
  attempts: number;
  /** Why it is not live, as a sentence; empty while nothing is known. */
  reason: string;
}

export const IDLE: SocketLife = { state: 'idle', attempts: 0, reason: '' };

export const CLOSE_UNAUTHORIZED = 4401;
export const CLOSE_FORBIDDEN = 4403;

const WAIT_FIRST_MS = 500;
const WAIT_MAX_MS = 15_000; // a site network that returns should be noticed within seconds

/**
 * The waiting time before attempt number `attempts`, with full jitter over its upper half so that
 * a hundred pages do not return in the same instant. `chance` is in [0, 1).
 */
export function waitMs(attempts: number, chance: number): number {
  const ceiling = Math.min(WAIT_MAX_MS, WAIT_FIRST_MS * 2 ** Math.min(attempts, 10));
  return Math.round(ceiling * (0.5 + chance / 2));
}

type Step = [SocketLife, SocketAction[]];

/** The next state and what to do. An event that means nothing in a state changes nothing. */
export function step(life: SocketLife, event: SocketEvent, chance: number): Step {
  switch (event.type) {
    case 'start':
      return life.state === 'idle' || life.state === 'refused'
        ? [{ ...IDLE, state: 'opening' }, [{ type: 'open' }]]
        : [life, []];
    case 'opened':
      return life.state === 'opening'
        ? [{ ...life, state: 'authenticating' }, [{ type: 'send_auth' }]]
        : [life, []];
    case 'auth_ok':
      return life.state === 'authenticating'
        ? [{ state: 'live', attempts: 0, reason: '' }, [{ type: 'subscribe' }]]
        : [life, []];
    case 'closed':
      return closed(life, event.code, event.reason, chance);
    case 'silent':
      return life.state === 'live'
        ? wait(life, 'The server no longer answers on this connection.', chance, [{ type: 'close' }])
        : [life, []];
    case 'renewed': // the server takes a newer token without a new connection
      return [life, life.state === 'live' ? [{ type: 'send_auth' }] : []];
    case 'retry':
      return life.state === 'waiting'
        ? [{ ...life, state: 'opening' }, [{ type: 'forget_wait' }, { type: 'open' }]]
        : [life, []];
    case 'stop':
      return [IDLE, [{ type: 'forget_wait' }, { type: 'close' }]];
  }
}

function closed(life: SocketLife, code: number, reason: string, chance: number): Step {
  if (life.state === 'idle' || life.state === 'waiting' || life.state === 'refused') return [life, []];
  if (code === CLOSE_FORBIDDEN) {
    const why = reason || 'This account may not see these values.';
    return [{ state: 'refused', attempts: 0, reason: why }, []];
  }
  if (code === CLOSE_UNAUTHORIZED) {
    return wait(life, 'The sign-in is being renewed.', chance, [{ type: 'renew_token' }]);
  }
  return wait(life, reason || 'The connection to the server was lost.', chance, []);
}

function wait(life: SocketLife, reason: string, chance: number, actions: SocketAction[]): Step {
  const delayMs = waitMs(life.attempts, chance);
  const next: SocketLife = { state: 'waiting', attempts: life.attempts + 1, reason };
  return [next, [...actions, { type: 'wait', delayMs }]];
}
