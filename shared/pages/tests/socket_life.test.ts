// The life of a live socket: as stories, and as a random walk that must never get stuck.

import { describe, expect, it } from 'vitest';
import { CLOSE_FORBIDDEN, CLOSE_UNAUTHORIZED, IDLE, step, waitMs } from '../src/api/socket_life';
import type { SocketAction, SocketEvent, SocketLife } from '../src/api/socket_life';

const HALF = 0.5; // the middle of the jitter

function play(events: SocketEvent[], from: SocketLife = IDLE): { life: SocketLife; actions: SocketAction[] } {
  let life = from;
  const actions: SocketAction[] = [];
  for (const event of events) {
    const [next, done] = step(life, event, HALF);
    life = next;
    actions.push(...done);
  }
  return { life, actions };
}

const lost: SocketEvent = { type: 'closed', code: 1006, reason: '' };
const toLive: SocketEvent[] = [{ type: 'start' }, { type: 'opened' }, { type: 'auth_ok' }];

describe('a live socket', () => {
  it('opens, authenticates first and subscribes only then', () => {
    const { life, actions } = play(toLive);
    expect(life.state).toBe('live');
    expect(actions.map(({ type }) => type)).toEqual(['open', 'send_auth', 'subscribe']);
  });

  it('comes back by itself after a loss', () => {
    const { life, actions } = play([
      ...toLive,
      lost,
      { type: 'retry' },
      { type: 'opened' },
      { type: 'auth_ok' },
    ]);
    expect(life).toEqual({ state: 'live', attempts: 0, reason: '' });
    expect(actions).toContainEqual({ type: 'wait', delayMs: 375 }); // 500 · (0.5 + 0.5 / 2)
  });

  it('waits longer with every failure, up to fifteen seconds', () => {
    const delays = [0, 1, 2, 3, 4, 5, 6, 20].map((attempts) => waitMs(attempts, 1));
    expect(delays).toEqual([500, 1000, 2000, 4000, 8000, 15000, 15000, 15000]);
  });

  it('spreads its attempts over the upper half of the waiting time', () => {
    expect([waitMs(2, 0), waitMs(2, 0.5), waitMs(2, 1)]).toEqual([1000, 1500, 2000]);
  });

  it('renews the token when the server no longer accepts it', () => {
    const { life, actions } = play([...toLive, { type: 'closed', code: CLOSE_UNAUTHORIZED, reason: '' }]);
    expect(life.state).toBe('waiting');
    expect(actions.map(({ type }) => type)).toContain('renew_token');
  });

  it('gives up where the account lacks the right, with the reason', () => {
    const { life, actions } = play([
      ...toLive,
      { type: 'closed', code: CLOSE_FORBIDDEN, reason: 'not yours' },
    ]);
    expect(life).toMatchObject({ state: 'refused', reason: 'not yours' });
    expect(actions.map(({ type }) => type)).not.toContain('wait');
  });

  it('starts over when others know newer values than it delivered', () => {
    const { life, actions } = play([...toLive, { type: 'silent' }]);
    expect(life.state).toBe('waiting');
    expect(actions.slice(-2).map(({ type }) => type)).toEqual(['close', 'wait']);
  });

  it('does not reconnect after it was stopped', () => {
    const { life } = play([...toLive, { type: 'stop' }, lost, { type: 'retry' }]);
    expect(life.state).toBe('idle');
  });

  it('always has a way on, whatever happens in whatever order', () => {
    const seed = Number(import.meta.env['VITE_SEED'] ?? 20261123);
    console.info(`seed ${seed}`);
    const chance = generator(seed);
    let life: SocketLife = IDLE;
    for (let turn = 0; turn < 20_000; turn += 1) {
      const [next, actions] = step(life, anyEvent(chance), chance());
      if (next.state === 'waiting' && life.state !== 'waiting') {
        expect(actions.some(({ type }) => type === 'wait')).toBe(true); // else nobody wakes it
      }
      if (next.state === 'opening' && life.state !== 'opening') {
        expect(actions.some(({ type }) => type === 'open')).toBe(true);
      }
      life = next;
    }
    const { life: ended } = play([{ type: 'stop' }, ...toLive], life);
    expect(ended.state).toBe('live');
  });
});

function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0; // Numerical Recipes' LCG
    return state / 2 ** 32;
  };
}

function anyEvent(chance: () => number): SocketEvent {
  const events: SocketEvent[] = [
    { type: 'start' },
    { type: 'opened' },
    { type: 'auth_ok' },
    { type: 'closed', code: [1006, 1001, 4401, 4403][Math.floor(chance() * 4)] ?? 1006, reason: '' },
    { type: 'silent' },
    { type: 'retry' },
    { type: 'stop' },
  ];
  return events[Math.floor(chance() * events.length)] ?? { type: 'retry' };
}
