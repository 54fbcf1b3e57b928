// One line per edge: its link to central, what waits behind it, what was refused.

import { useState } from 'preact/hooks';
import { ageText } from '../domain/age';
import { bytesText, numberText } from '../domain/quantities';
import { refusedOf } from '../domain/refusals';
import { momentText, zoneText } from '../domain/times';
import type { EdgeState } from '../api/shapes';
import { PAGE } from '../page';
import { nowMs, tickMs, zone } from '../state/clock';
import { LINK_POLL_MS, askLink, backlogOf, lastStatus, link } from '../state/link';
import { ConditionMark, Icon } from './marks';
import { Refusals } from './refusals';

export function LinkStrip() {
  const answer = link.value;
  const last = lastStatus.value;
  return (
    <section class="link-strip" id="link" aria-label="Link between edge and central">
      {answer.state === 'loading' && <p class="muted">Asking for the state of the link…</p>}
      {answer.state === 'refused' && (
        <p class="word note">Link and backlog are not shown to this account: {answer.detail}</p>
      )}
      {last !== null && last.status.edges.length === 0 && (
        <p class="word note">No edge has reported for this site yet.</p>
      )}
      {last?.status.edges.map((edge) => (
        <EdgeLine key={edge.edgeId} edge={edge} atMs={last.atMs} />
      ))}
      {answer.state === 'failed' && (
        <p class="word warning">
          The state of the link cannot be asked for: {answer.detail}{' '}
          <button class="quiet" onClick={() => void askLink()}>
            Ask again
          </button>
        </p>
      )}
    </section>
  );
}

function EdgeLine({ edge, atMs }: { edge: EdgeState; atMs: number }) {
  const [open, setOpen] = useState(false);
  const backlog = backlogOf(edge);
  const refused = refusedOf(edge);
  const askedAgoMs = tickMs.value - atMs;
  return (
    <article
      class={`edge-line ${edge.connected ? 'connected' : 'disconnected'}`}
      aria-label={`Edge ${edge.edgeId}`}
    >
      <Fact title="Edge">{edge.edgeId}</Fact>
      <Fact title={PAGE === 'edge' ? 'Link to central' : 'Link'} wide>
        <ConditionMark condition={edge.connected ? 'good' : 'bad'} />
        <b class="link-state">{edge.connected ? 'Connected' : 'Disconnected'}</b> <Since edge={edge} />
      </Fact>
      <Fact title="Round trip">
        {edge.rttMs === null || !edge.connected ? '–' : `${numberText(Math.round(edge.rttMs))} ms`}
      </Fact>
      <Fact title="Backlog" warn={(backlog.oldestAgeS ?? 0) > 60}>
        {backlog.samples === 0 ? (
          'none'
        ) : (
          <>
            <b>{numberText(backlog.samples)}</b> samples · {bytesText(backlog.bytes)}
            {backlog.oldestAgeS !== null && <> · oldest {ageText(backlog.oldestAgeS * 1000 + askedAgoMs)}</>}
          </>
        )}
      </Fact>
      {edge.inboxPending !== null && <Fact title="To unpack">{numberText(edge.inboxPending)} batches</Fact>}
      <Fact title="Last seen">
        {edge.lastSeenMs === null ? 'never' : `${ageText(nowMs.value - edge.lastSeenMs)} ago`}
      </Fact>
      <Fact title="Refused" warn={refused > 0}>
        {refused === 0 ? (
          'none'
        ) : (
          <button class="link" aria-expanded={open} onClick={() => setOpen(!open)}>
            {numberText(refused)} {refused === 1 ? 'time' : 'times'} <Icon name={open ? 'up' : 'down'} />
          </button>
        )}
      </Fact>
      <span class={`asked ${askedAgoMs > 3 * LINK_POLL_MS ? 'old' : ''}`}>
        as of {ageText(askedAgoMs)} ago
      </span>
      {!edge.connected && edge.error !== null && <p class="edge-error">{edge.error}</p>}
      {open && refused > 0 && <Refusals edge={edge} />}
    </article>
  );
}

function Since({ edge }: { edge: EdgeState }) {
  if (edge.sinceMs === null) return null;
  return (
    <span
      class="muted"
      title={`${momentText(edge.sinceMs, zone.value)} ${zoneText(edge.sinceMs, zone.value)}`}
    >
      since {momentText(edge.sinceMs, zone.value).slice(sameDay(edge.sinceMs) ? 11 : 0)} (
      {ageText(nowMs.value - edge.sinceMs)})
    </span>
  );
}

function sameDay(tsMs: number): boolean {
  return momentText(tsMs, zone.value).slice(0, 10) === momentText(nowMs.value, zone.value).slice(0, 10);
}

function Fact(props: { title: string; wide?: boolean; warn?: boolean; children: preact.ComponentChildren }) {
  return (
    <div class={`fact ${props.wide ? 'wide' : ''} ${props.warn ? 'warn' : ''}`}>
      <span class="fact-title">{props.title}</span>
      <span class="fact-value">{props.children}</span>
    </div>
  );
}
