// The whole page: signing in, or the site at a glance.

import { useEffect } from 'preact/hooks';
import { session } from '../api/session';
import { siteName } from '../state/site';
import { view } from '../state/view';
import { PAGE } from '../page';
import { AlertStrip } from './alert_strip';
import { Header } from './header';
import { HelpDialog } from './help';
import { InterruptionBanner } from './interruption';
import { LinkStrip } from './link_strip';
import { Notices } from './notices';
import { useShortcuts } from './shortcuts';
import { SignIn } from './sign_in';
import { MapPanel } from './map_panel';
import { TrendPanel } from './trend_panel';
import { ValuesPanel } from './values_panel';

export function App() {
  const now = session.value;
  if (now.state === 'starting') {
    return (
      <p class="starting" role="status">
        {now.problem ?? 'Taking up your session…'}
      </p>
    );
  }
  if (now.state === 'signed_out') return <SignIn reason={now.reason} />;
  return <Workspace />;
}

function Workspace() {
  useShortcuts();
  const name = siteName.value;
  useEffect(() => {
    const page = PAGE === 'edge' ? 'Headframe edge' : 'Headframe';
    document.title = name === null ? page : `${name} · ${page}`;
  }, [name]);
  const shown = view.value;
  const overview = shown === 'overview';
  return (
    <>
      <a class="skip" href="#main" onClick={skipToMain}>
        Skip to the values
      </a>
      <Header />
      <InterruptionBanner />
      <AlertStrip />
      <LinkStrip />
      <main id="main" class={`workspace ${shown}`} tabIndex={-1}>
        {(overview || shown === 'map') && <MapPanel />}
        {(overview || shown === 'trends') && <TrendPanel />}
        {(overview || shown === 'values') && <ValuesPanel />}
      </main>
      <Notices />
      <HelpDialog />
    </>
  );
}

function skipToMain(event: Event): void {
  event.preventDefault(); // the address after # holds what is shown
  document.getElementById('values')?.focus();
  if (document.getElementById('values') === null) document.getElementById('main')?.focus();
}
