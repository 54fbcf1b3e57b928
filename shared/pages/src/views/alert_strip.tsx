// The alerts that stand, above everything else. Nothing is shown where there are none.

import { ageText } from '../domain/age';
import type { Alert } from '../domain/alerts';
import { clockText, momentText, zoneText } from '../domain/times';
import { alerts } from '../state/alerts';
import { nowMs, zone } from '../state/clock';
import { charted, toggleCharted } from '../state/view';

const SHOWN_MAX = 4; // the others are counted: the values below must stay in sight

export function AlertStrip() {
  const answer = alerts.value;
  const standing = answer.state === 'loading' ? [] : answer.alerts;
  const hidden = standing.slice(SHOWN_MAX);
  const isMore = answer.state !== 'loading' && answer.isMore;
  return (
    <section class="alert-strip" aria-label="Alerts" aria-live="assertive">
      {standing.slice(0, SHOWN_MAX).map((alert) => (
        <AlertLine key={alert.id} alert={alert} />
      ))}
      {hidden.length > 0 && (
        <p class="alert-more">
          and {hidden.length}
          {isMore && ' or more'} more alerts stand
        </p>
      )}
      {answer.state === 'failed' && (
        <p class="word warning">The alerts cannot be asked for: {answer.detail}</p>
      )}
    </section>
  );
}

/** The chart may have taken it up by itself since the button was shown. */
function chart(series: string): void {
  if (!charted.value.includes(series)) toggleCharted(series);
}

function AlertLine({ alert }: { alert: Alert }) {
  const isCharted = charted.value.includes(alert.series);
  return (
    <div class={`alert-line ${alert.severity}`}>
      <b class="severity">{alert.severity}</b>
      <span class="message">{alert.message}</span>
      <span
        class="muted"
        title={`${momentText(alert.raisedMs, zone.value)} ${zoneText(alert.raisedMs, zone.value)}`}
      >
        since {clockText(alert.raisedMs, zone.value)} {zoneText(alert.raisedMs, zone.value)} (
        {ageText(nowMs.value - alert.raisedMs)})
      </span>
      {!isCharted && (
        <button class="quiet" onClick={() => chart(alert.series)}>
          Chart it
        </button>
      )}
    </div>
  );
}
