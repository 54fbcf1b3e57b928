// Who is signed in. Owns the tokens: the access token stays in memory, the refresh token in the
// tab's sessionStorage, so that a reload keeps the session and closing the tab ends it.

import { signal } from '@preact/signals';
import { record } from './shapes';
import type { Json } from './shapes';
import { answerFor, isTaken } from './tab';

export interface Account {
  username: string;
  roles: readonly string[];
  /** Site names, or `*` for all. */
  sites: readonly string[];
}

export type Session =
  /** A session of this tab is being taken up; `problem` says why that takes so long. */
  | { state: 'starting'; problem: string | null }
  | { state: 'signed_out'; reason: string | null }
  | { state: 'signed_in'; account: Account };

export const session = signal<Session>({ state: 'starting', problem: null });

/** Why sign-in failed, as a sentence for the form. */
export class SignInError extends Error {}

const OUT_OF_REACH = 'The server does not answer. Trying again…';
const STORAGE_KEY = 'headframe.refresh';
const REFRESH_EARLY_MS = 60_000; // before expiry; short tokens are renewed at half their life
const RETRY_MS = 5_000; // an unreachable server ends no session

interface Stored {
  refresh: string;
  username: string;
  /** Names this tab, so that a copy of it can be told from it. */
  tab: string;
}

let access: string | null = null; // the token
let tab: string | null = null; // set once this tab has taken the session as its own
let renewing: Promise<boolean> | null = null;
let renewTimer: ReturnType<typeof setTimeout> | undefined;

export function accessToken(): string | null {
  return access;
}

/** Signs in with a password. Throws SignInError with the sentence to show. */
export async function signIn(username: string, password: string): Promise<void> {
  const answer = await askForToken({ grant_type: 'password', username, password }).catch(() => null);
  if (answer === null) throw new SignInError('The server does not answer. Check the network and try again.');
  if (!answer.ok) throw new SignInError(refusal(answer));
  accept(answer, username);
}

/** Takes up the session of this tab, if there is one. Once, at the start of the page. */
export async function resume(): Promise<void> {
  answerFor(() => tab);
  const stored = readStored();
  if (stored === null) session.value = { state: 'signed_out', reason: null };
  else if (await isTaken(stored.tab)) forget('This tab is a copy of another one. Please sign in here too.');
  else {
    tab = stored.tab;
    await renew();
  }
}

/**
 * Gets a new access token; callers at the same time share one request. False when the server is
 * out of reach (the session stays) or has ended the session (then it is signed out).
 */
export function renew(): Promise<boolean> {
  renewing ??= renewOnce().finally(() => {
    renewing = null;
  });
  return renewing;
}

/** Ends the session here and, as far as it can be reached, at the server. */
export async function signOut(reason: string | null = null): Promise<void> {
  const stored = readStored();
  const ended = access;
  forget(reason);
  if (ended === null) return;
  await fetch('/api/auth/logout', {
    method: 'POST',
    headers: { authorization: `Bearer ${ended}`, 'content-type': 'application/json' },
    body: JSON.stringify({ refresh_token: stored?.refresh ?? null }),
    signal: AbortSignal.timeout(5_000),
  }).catch(() => undefined); // already signed out here; the tokens expire by themselves
}

async function renewOnce(): Promise<boolean> {
  const stored = readStored();
  if (stored === null) {
    forget(null);
    return false;
  }
  const body = { grant_type: 'refresh_token', refresh_token: stored.refresh };
  const answer = await askForToken(body).catch(() => null);
  if (answer === null || answer.status === 429 || answer.status >= 500) {
    if (session.value.state === 'starting') session.value = { state: 'starting', problem: OUT_OF_REACH };
    scheduleRenewal(RETRY_MS);
    return false;
  }
  if (!answer.ok) {
    forget('Your session has ended. Please sign in again.');
    return false;
  }
  accept(answer, stored.username);
  return true;
}

interface TokenAnswer {
  ok: boolean;
  status: number;
  retryAfterS: number | null;
  body: Json;
}

async function askForToken(request: Json): Promise<TokenAnswer> {
  const response = await fetch('/api/v1/auth/token', {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify(request),
    signal: AbortSignal.timeout(15_000),
  });
  const body = (await response.json().catch(() => ({}))) as Json;
  const retryAfter = response.headers.get('retry-after') ?? response.headers.get('x-ratelimit-reset');
  return {
    ok: response.ok && typeof body['access_token'] === 'string',
    status: response.status,
    retryAfterS: retryAfter === null ? null : Number(retryAfter),
    body,
  };
}

function refusal(answer: TokenAnswer): string {
  if (answer.status === 429) {
    const wait = answer.retryAfterS === null ? '' : ` Try again in ${Math.ceil(answer.retryAfterS)} s.`;
    return `Too many attempts.${wait}`;
  }
  if (answer.status === 401) return 'The email address or the password is not right.';
  const detail = answer.body['detail'];
  return typeof detail === 'string' ? detail : `The server refused the sign-in (${answer.status}).`;
}

function accept(answer: TokenAnswer, username: string): void {
  access = answer.body['access_token'] as string;
  const lifeMs = Number(answer.body['expires_in'] ?? 300) * 1000;
  const refresh = answer.body['refresh_token'];
  if (typeof refresh === 'string')
    writeStored({
      refresh,
      username,
      tab: (tab ??= crypto.getRandomValues(new Uint32Array(2)).join('-')),
    });
  scheduleRenewal(Math.max(lifeMs - REFRESH_EARLY_MS, lifeMs / 2));
  const account = accountOf(access, username);
  session.value = { state: 'signed_in', account };
}

function scheduleRenewal(delayMs: number): void {
  clearTimeout(renewTimer);
  renewTimer = setTimeout(() => void renew(), delayMs);
}

function forget(reason: string | null): void {
  clearTimeout(renewTimer);
  access = null;
  tab = null;
  removeStored();
  session.value = { state: 'signed_out', reason };
}

/** What the token says of its account. The server judges every request; this only words the page. */
export function accountOf(accessToken: string, username: string): Account {
  const claims = claimsOf(accessToken);
  const strings = (value: unknown): string[] =>
    Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
  const name = claims['username'] ?? claims['email'] ?? claims['preferred_username'];
  return {
    username: typeof name === 'string' ? name : username,
    roles: strings(claims['roles'] ?? (typeof claims['role'] === 'string' ? [claims['role']] : [])),
    sites: strings(claims['sites']),
  };
}

function claimsOf(accessToken: string): Json {
  const payload = accessToken.split('.')[1] ?? '';
  try {
    const bytes = atob(payload.replaceAll('-', '+').replaceAll('_', '/'));
    const utf8 = Uint8Array.from(bytes, (char) => char.charCodeAt(0));
    return record(JSON.parse(new TextDecoder().decode(utf8)), 'claims');
  } catch {
    return {};
  }
}

let kept: Stored | null = null;

function readStored(): Stored | null {
  if (kept !== null) return kept;
  try {
    const stored = record(JSON.parse(sessionStorage.getItem(STORAGE_KEY) ?? 'null'), 'session');
    if (typeof stored['refresh'] !== 'string') return null;
    return {
      refresh: stored['refresh'],
      username: String(stored['username'] ?? ''),
      tab: String(stored['tab'] ?? ''),
    };
  } catch {
    return null;
  }
}

function writeStored(stored: Stored): void {
  try {
    sessionStorage.setItem(STORAGE_KEY, JSON.stringify(stored));
  } catch {
    kept = stored; // storage may be forbidden: the session then ends with the page
  }
}

function removeStored(): void {
  kept = null;
  try {
    sessionStorage.removeItem(STORAGE_KEY);
  } catch {
    // nothing was stored
  }
}
