// Keeps the page current while somebody is signed in: sockets, questions by REST, the word about
// interruptions. Owns every timer of the live data.

import { computed } from '@preact/signals';
import { session } from '../api/session';
import { ageText } from '../domain/age';
import { ALERTS_POLL_MS, askAlerts, forgetAlerts } from './alerts';
import { LINK_POLL_MS, askLink, forgetLink } from './link';
import { forgetAssets, interruptedSinceMs, isLive, reconcile, reconcileDelayMs, sockets } from './live';
import { announce } from './notices';
import { forgetSites, site } from './site';

const watchedSite = computed(() => {
  if (session.value.state !== 'signed_in') return null;
  const { username, roles } = session.value.account;
  return `${username} ${roles.join('+')} ${site.value ?? ''}`;
});

/** Starts following the session. Returns how to stop. */
export function startWatch(): () => void {
  let stop: (() => void) | null = null;
  const stopFollowing = watchedSite.subscribe((key) => {
    stop?.();
    stop = null;
    forgetAssets();
    forgetLink();
    forgetAlerts();
    if (key === null) forgetSites();
    if (key !== null) stop = watchSite();
  });
  return () => {
    stopFollowing();
    stop?.();
  };
}

function watchSite(): () => void {
  const stops = [
    repeat(reconcile, reconcileDelayMs),
    repeat(askLink, () => LINK_POLL_MS),
    repeat(askAlerts, () => ALERTS_POLL_MS),
    watchInterruption(),
    retryWhenBack(),
    session.subscribe(() => Object.values(sockets).forEach((socket) => socket.renewed())),
  ];
  for (const socket of Object.values(sockets)) socket.start();
  return () => {
    for (const socket of Object.values(sockets)) socket.stop();
    for (const stop of stops) stop();
    interruptedSinceMs.value = null;
  };
}

/** Runs `work` now and again, each time `delayMs()` after the last one ended. */
function repeat(work: () => Promise<void>, delayMs: () => number): () => void {
  let stopped = false;
  let timer: ReturnType<typeof setTimeout>;
  const run = async (): Promise<void> => {
    try {
      await work();
    } catch (error) {
      console.error(error); // an answer of an unexpected shape: the next one may be better
    }
    if (!stopped) timer = setTimeout(() => void run(), delayMs());
  };
  void run();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}

/** Says when live values stop and when they are back, and then fetches what was missed. */
function watchInterruption(): () => void {
  let wasLive = false;
  return isLive.subscribe((live) => {
    if (live && !wasLive) {
      wasLive = true;
      const sinceMs = interruptedSinceMs.peek();
      interruptedSinceMs.value = null;
      if (sinceMs === null) return;
      announce(`Live updates resumed after ${ageText(Date.now() - sinceMs)}.`);
      void reconcile();
    } else if (!live && wasLive) {
      wasLive = false;
      interruptedSinceMs.value = Date.now();
    }
  });
}

/** A network or a tab that comes back is a reason to try at once. */
function retryWhenBack(): () => void {
  const retry = (): void => {
    if (document.hidden) return;
    for (const socket of Object.values(sockets)) socket.retry();
  };
  addEventListener('online', retry);
  document.addEventListener('visibilitychange', retry);
  return () => {
    removeEventListener('online', retry);
    document.removeEventListener('visibilitychange', retry);
  };
}
