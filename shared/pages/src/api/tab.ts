// Whether this tab is a copy. Browsers copy sessionStorage into a duplicated tab, and a refresh
// token may be exchanged only once: two tabs with one token would sign each other out.

const CHANNEL = 'headframe.tabs';
const ANSWER_WITHIN_MS = 200; // tabs of one browser answer in a few; a busy one may not

interface Word {
  says: 'anybody?' | 'here';
  tab: string;
}

/** Answers other tabs that ask for `tab`. */
export function answerFor(tab: () => string | null): void {
  if (typeof BroadcastChannel === 'undefined') return;
  const channel = new BroadcastChannel(CHANNEL);
  channel.addEventListener('message', ({ data }: MessageEvent<Word>) => {
    if (data.says === 'anybody?' && data.tab === tab()) {
      channel.postMessage({ says: 'here', tab: data.tab } satisfies Word);
    }
  });
}

/** Whether another tab is `tab` already. */
export function isTaken(tab: string): Promise<boolean> {
  if (typeof BroadcastChannel === 'undefined') return Promise.resolve(false);
  return new Promise((resolve) => {
    const channel = new BroadcastChannel(CHANNEL);
    const finish = (taken: boolean): void => {
      channel.close();
      resolve(taken);
    };
    channel.addEventListener('message', ({ data }: MessageEvent<Word>) => {
      if (data.says === 'here' && data.tab === tab) finish(true);
    });
    channel.postMessage({ says: 'anybody?', tab } satisfies Word);
    setTimeout(() => finish(false), ANSWER_WITHIN_MS);
  });
}
