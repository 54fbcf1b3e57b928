// The sign-in form.

import { useEffect, useRef, useState } from 'preact/hooks';
import { SignInError, signIn } from '../api/session';
import { PAGE } from '../page';
import { Mark } from './marks';

export function SignIn({ reason }: { reason: string | null }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const [shown, setShown] = useState(false);
  const first = useRef<HTMLInputElement>(null);
  const password = useRef<HTMLInputElement>(null);
  useEffect(() => {
    document.title = 'Sign in · Headframe';
    first.current?.focus();
  }, []);

  async function submit(event: Event): Promise<void> {
    event.preventDefault();
    const form = new FormData(event.target as HTMLFormElement);
    setBusy(true);
    setProblem(null);
    try {
      await signIn(String(form.get('username')).trim(), String(form.get('password')));
    } catch (error) {
      if (!(error instanceof SignInError)) throw error;
      setProblem(error.message);
      setBusy(false);
      password.current?.select();
    }
  }

  return (
    <main class="sign-in">
      <form class="card" onSubmit={(event) => void submit(event)} aria-labelledby="sign-in-title">
        <div class="brand">
          <Mark size={34} />
          <div>
            <h1 id="sign-in-title">Headframe</h1>
            <p class="muted">
              {PAGE === 'edge'
                ? 'Site edge: works without the link to central'
                : 'Mine operations, all sites'}
            </p>
          </div>
        </div>
        {reason !== null && (
          <p class="word note" role="status">
            {reason}
          </p>
        )}
        <label>
          Email address
          <input
            ref={first}
            name="username"
            type="text"
            inputMode="email"
            autoComplete="username"
            autoCapitalize="off"
            spellcheck={false}
            required
          />
        </label>
        <label>
          Password
          <span class="with-button">
            <input
              ref={password}
              name="password"
              {...(shown ? { type: 'text' } : { type: 'password' })}
              autoComplete="current-password"
              required
              aria-invalid={problem !== null}
              aria-describedby={problem === null ? undefined : 'sign-in-problem'}
            />
            <button type="button" class="quiet" aria-pressed={shown} onClick={() => setShown(!shown)}>
              {shown ? 'Hide' : 'Show'}
            </button>
          </span>
        </label>
        <p id="sign-in-problem" class="word warning" role="alert" hidden={problem === null}>
          {problem}
        </p>
        <button class="primary" type="submit" disabled={busy}>
          {busy ? 'Signing in…' : 'Sign in'}
        </button>
      </form>
    </main>
  );
}
