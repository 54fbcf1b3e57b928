// The top line: whose site, how live, what time it is, and who is looking.

import { VIEWS } from '../domain/address';
import { session, signOut } from '../api/session';
import { PAGE } from '../page';
import { isLive, isNothingLive, sockets } from '../state/live';
import { flipTheme, isDark } from '../state/preferences';
import { siteChoices, siteName } from '../state/site';
import { go, show, view } from '../state/view';
import { ClockMenu } from './clock_menu';
import { ConditionMark, Icon, Mark } from './marks';
import type { Condition } from './marks';
import { helpOpen } from './shortcuts';

const VIEW_TITLES = { overview: 'Overview', values: 'Values', map: 'Map', trends: 'Trends' } as const;

export function Header() {
  return (
    <header class="top">
      <div class="brand">
        <Mark size={24} />
        <span class="product">Headframe</span>
        <SiteName />
        <span class="tag">{PAGE}</span>
      </div>
      <nav aria-label="Views">
        {VIEWS.map((each) => (
          <button
            key={each}
            class="tab"
            aria-current={view.value === each ? 'page' : undefined}
            onClick={() => show(each)}
          >
            {VIEW_TITLES[each]}
          </button>
        ))}
      </nav>
      <div class="tools">
        <LiveMark />
        <ClockMenu />
        <button
          class="quiet"
          onClick={flipTheme}
          aria-label={isDark() ? 'Switch to light' : 'Switch to dark'}
          title="Light or dark (t)"
        >
          <Icon name={isDark() ? 'sun' : 'moon'} />
        </button>
        <button
          class="quiet"
          onClick={() => (helpOpen.value = true)}
          aria-label="Help and keys"
          title="Help and keys (?)"
        >
          <Icon name="help" />
        </button>
        <AccountMark />
      </div>
    </header>
  );
}

function SiteName() {
  const choices = siteChoices.value;
  if (choices.length === 0) return <h1 class="site">{siteName.value ?? '…'}</h1>;
  return (
    <h1 class="site">
      <select
        aria-label="Site"
        value={siteName.value ?? ''}
        onChange={(event) => go({ site: event.currentTarget.value, series: [], selected: null })}
      >
        {choices.map((each) => (
          <option key={each}>{each}</option>
        ))}
      </select>
    </h1>
  );
}

function LiveMark() {
  const states = Object.values(sockets).map(({ status }) => status.value.state);
  const live = isLive.value;
  const opening = !live && states.every((state) => state !== 'waiting');
  if (isNothingLive.value) {
    return (
      <span class="pill off" id="live-state">
        <ConditionMark condition="off" />
        No right to live values
      </span>
    );
  }
  const condition: Condition = live ? 'good' : opening ? 'waiting' : 'bad';
  const word = live ? 'Live' : opening ? 'Connecting' : 'Interrupted';
  return (
    <span class={`pill ${condition}`} id="live-state" title="The live connection of this page to the server">
      <ConditionMark condition={condition} />
      {word}
    </span>
  );
}

function AccountMark() {
  if (session.value.state !== 'signed_in') return null;
  const { username, roles } = session.value.account;
  return (
    <span class="account">
      <span class="who">
        <b title={username}>{username}</b>
        <i>{roles.map((role) => role.replaceAll('_', ' ')).join(', ') || 'no role yet'}</i>
      </span>
      <button class="quiet" onClick={() => void signOut()} title="Sign out">
        <Icon name="out" /> <span class="sign-out">Sign out</span>
      </button>
    </span>
  );
}
