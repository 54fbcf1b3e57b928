// Requests to the API: envelope, errors, one renewal of the token on 401.

import { accessToken, renew, signOut } from './session';
import type { Json } from './shapes';

const TIMEOUT_MS = 20_000;

/** One thing wrong with a request, by field. */
export interface Mistake {
  field: string;
  message: string;
}

/** What went wrong with a request, with a sentence that can be shown. */
export class ApiError extends Error {
  constructor(
    /** HTTP status; 0 when the server could not be reached. */
    readonly status: number,
    message: string,
    readonly mistakes: readonly Mistake[] = [],
  ) {
    super(message);
  }

  /** It may be different in a while: out of reach, too many requests, a fault of the server. */
  get isPassing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }

  /** The account lacks the right; asking again will not help. */
  get isRefused(): boolean {
    return this.status === 403;
  }

  get isAbsent(): boolean {
    return this.status === 404 || this.status === 405;
  }
}

export type Query = Record<string, string | number | null | undefined>;

/**
 * Returns the `data` of the answer.
 *
 * Throws ApiError; an AbortError passes through when `cancel` fires.
 */
export async function get(path: string, query: Query = {}, cancel?: AbortSignal): Promise<unknown> {
  let response = await send(path, query, cancel);
  if (response.status === 401 && (await renew())) {
    response = await send(path, query, cancel);
    if (response.status === 401) await signOut('Your session has ended. Please sign in again.');
  }
  const body = await bodyOf(response);
  if (response.ok) return body['data'];
  throw errorOf(response, body);
}

async function send(path: string, query: Query, cancel?: AbortSignal): Promise<Response> {
  const headers: Record<string, string> = { accept: 'application/json' };
  const token = accessToken();
  if (token !== null) headers['authorization'] = `Bearer ${token}`;
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const signal = cancel === undefined ? timeout : AbortSignal.any([cancel, timeout]);
  try {
    return await fetch(path + queryText(query), { headers, signal });
  } catch (error) {
    if (cancel?.aborted) throw error;
    const late = timeout.aborted;
    throw new ApiError(0, late ? 'The server took too long to answer.' : 'The server does not answer.');
  }
}

function queryText(query: Query): string {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined);
  const text = new URLSearchParams(given.map(([key, value]): [string, string] => [key, String(value)]));
  return given.length === 0 ? '' : `?${text}`;
}

async function bodyOf(response: Response): Promise<Json> {
  try {
    return (await response.json()) as Json;
  } catch {
    return {};
  }
}

function errorOf(response: Response, body: Json): ApiError {
  const detail = body['detail'];
  const message = typeof detail === 'string' ? detail : `The server answered ${response.status}.`;
  const mistakes = Array.isArray(body['errors']) ? (body['errors'] as Json[]) : [];
  return new ApiError(
    response.status,
    message,
    mistakes.map((each) => ({ field: String(each['field'] ?? ''), message: String(each['message'] ?? '') })),
  );
}
