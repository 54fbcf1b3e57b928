// Points in time in the zone the reader chose. Every time that is shown names its zone.

export type ZoneChoice = 'site' | 'utc' | 'browser';

/** The zones a time can be shown in; `site` is null where the server does not say. */
export interface Zones {
  choice: ZoneChoice;
  site: string | null;
}

export function zoneId(zones: Zones): string {
  if (zones.choice === 'utc') return 'UTC';
  if (zones.choice === 'site' && zones.site !== null) return zones.site;
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function format(zone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = zone + JSON.stringify(options);
  let found = formats.get(key);
  if (found === undefined) {
    // `sv-SE` writes dates as ISO 8601 does: no reader can take the month for the day.
    found = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, hourCycle: 'h23', ...options });
    formats.set(key, found);
  }
  return found;
}

/** `14:03:12` */
export function clockText(tsMs: number, zone: string): string {
  return format(zone, { hour: '2-digit', minute: '2-digit', second: '2-digit' }).format(tsMs);
}

/** `2026-11-23` */
export function dateText(tsMs: number, zone: string): string {
  return format(zone, { year: 'numeric', month: '2-digit', day: '2-digit' }).format(tsMs);
}

/** `2026-11-23 14:03:12` */
export function momentText(tsMs: number, zone: string): string {
  return `${dateText(tsMs, zone)} ${clockText(tsMs, zone)}`;
}

/** `2026-11-23 14:03:12.250` for raw samples. */
export function exactText(tsMs: number, zone: string): string {
  const millis = String(((Math.trunc(tsMs) % 1000) + 1000) % 1000).padStart(3, '0');
  return `${momentText(tsMs, zone)}.${millis}`;
}

/** `UTC`, `UTC+01:00`: unlike letters such as WAT or IST, an offset is never ambiguous. */
export function zoneText(tsMs: number, zone: string): string {
  const parts = format(zone, { timeZoneName: 'longOffset' }).formatToParts(tsMs);
  const offset = parts.find((part) => part.type === 'timeZoneName')?.value ?? 'GMT';
  return offset.replace('GMT', 'UTC').replace('−', '-');
}

/** A time as the API writes it (ISO 8601 or epoch milliseconds), or NaN. */
export function parseTime(time: unknown): number {
  if (typeof time === 'number') return time;
  return typeof time === 'string' ? Date.parse(time) : Number.NaN;
}

/** Whether the browser can show times in `zone`. */
export function isZone(zone: string): boolean {
  if (zone === '') return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}
