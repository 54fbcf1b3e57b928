// The word across the page while live values are missing. Nothing on the page may look live then.

import { ageText } from '../domain/age';
import { clockText, zoneText } from '../domain/times';
import { tickMs, zone } from '../state/clock';
import { interruptedSinceMs, isLive, sockets } from '../state/live';

export function InterruptionBanner() {
  if (isLive.value) return <div role="alert" class="banner-place" />;
  const states = Object.values(sockets).map(({ status }) => status.value);
  const failing = states.find(({ state, attempts }) => state === 'waiting' || attempts > 0);
  const sinceMs = interruptedSinceMs.value;
  if (failing === undefined && sinceMs === null) return <div role="alert" class="banner-place" />;
  return (
    <div class="banner-place">
      <div class="banner">
        <span role="alert">
          <strong>
            {sinceMs === null
              ? 'Live updates are not available.'
              : `Live updates interrupted since ${clockText(sinceMs, zone.value)} ${zoneText(sinceMs, zone.value)}.`}
          </strong>{' '}
          {failing?.reason}
        </span>
        <span class="muted">
          {sinceMs !== null && `${ageText(tickMs.value - sinceMs)} ago. `}
          Values are refreshed by asking every 10 s; ages keep counting. {attemptText(states)}
        </span>
        <button onClick={retryAll}>Reconnect now</button>
      </div>
    </div>
  );
}

function attemptText(states: readonly { retryAtMs: number | null }[]): string {
  const due = states.map(({ retryAtMs }) => retryAtMs).filter((each) => each !== null);
  if (due.length === 0) return 'Connecting…';
  const inS = Math.max(0, Math.ceil((Math.min(...due) - tickMs.value) / 1000));
  return inS === 0 ? 'Connecting…' : `Next attempt in ${inS} s.`;
}

function retryAll(): void {
  for (const socket of Object.values(sockets)) socket.retry();
}
