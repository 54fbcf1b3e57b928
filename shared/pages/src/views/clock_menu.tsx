// The clock, and in which zone every time of the page is told.

import { useEffect, useRef, useState } from 'preact/hooks';
import { ageText } from '../domain/age';
import { clockText, dateText, zoneText } from '../domain/times';
import type { ZoneChoice } from '../domain/times';
import {
  clockAheadMs,
  nowMs,
  setSiteZone,
  shownZoneChoice,
  siteZone,
  siteZoneIsOpen,
  zone,
  zoneChoice,
} from '../state/clock';

const TITLES: Record<ZoneChoice, string> = { site: 'site time', utc: 'UTC', browser: 'this computer' };

export function ClockMenu() {
  const [open, setOpen] = useState(false);
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open) return;
    const onOutside = (event: Event): void => {
      if (!(event.target instanceof Node) || !place.current?.contains(event.target)) setOpen(false);
    };
    document.addEventListener('pointerdown', onOutside);
    document.addEventListener('focusin', onOutside);
    return () => {
      document.removeEventListener('pointerdown', onOutside);
      document.removeEventListener('focusin', onOutside);
    };
  }, [open]);
  return (
    <div
      ref={place}
      class="clock-place"
      onKeyDown={(event) => {
        if (event.key !== 'Escape' || !open) return;
        setOpen(false);
        place.current?.querySelector('button')?.focus();
      }}
    >
      <ClockFace open={open} onToggle={() => setOpen(!open)} />
      {open && <ZoneMenu />}
    </div>
  );
}

function ClockFace({ open, onToggle }: { open: boolean; onToggle: () => void }) {
  const now = nowMs.value;
  const aheadMs = clockAheadMs.value;
  return (
    <button class="clock" aria-expanded={open} onClick={onToggle} title="Time zone (z)">
      <span class="date">{dateText(now, zone.value)}</span>
      <time dateTime={new Date(now).toISOString()}>{clockText(now, zone.value)}</time>
      <span class="zone">
        {zoneText(now, zone.value)} <i>{TITLES[shownZoneChoice.value]}</i>
      </span>
      {aheadMs !== null && (
        <span class="clock-off" title="Ages and times on this page use the server's clock">
          this computer is {ageText(Math.abs(aheadMs))} {aheadMs > 0 ? 'fast' : 'slow'}
        </span>
      )}
    </button>
  );
}

function ZoneMenu() {
  const browserZone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return (
    <fieldset class="zone-menu">
      <legend>Times are shown in</legend>
      <Choice choice="site" disabled={siteZone.value === null}>
        Site time <span class="muted">{siteZone.value ?? 'not set yet'}</span>
      </Choice>
      {siteZoneIsOpen.value && (
        <label class="zone-select">
          <span class="muted">Zone of the site</span>
          <select value={siteZone.value ?? ''} onChange={(event) => setSiteZone(event.currentTarget.value)}>
            <option value="">choose…</option>
            {Intl.supportedValuesOf('timeZone').map((each) => (
              <option key={each}>{each}</option>
            ))}
          </select>
        </label>
      )}
      <Choice choice="utc">UTC</Choice>
      <Choice choice="browser">
        This computer <span class="muted">{browserZone}</span>
      </Choice>
    </fieldset>
  );
}

function Choice(props: { choice: ZoneChoice; disabled?: boolean; children: preact.ComponentChildren }) {
  const { choice, disabled = false } = props;
  return (
    <label class="check">
      <input
        type="radio"
        name="zone"
        checked={shownZoneChoice.value === choice}
        disabled={disabled}
        onChange={() => (zoneChoice.value = choice)}
      />
      <span>{props.children}</span>
    </label>
  );
}
