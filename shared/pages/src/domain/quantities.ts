// Numbers as people read them: few digits, the unit beside them, nothing invented.

import type { Value } from './assets';

const DIGITS = 4; // enough for a gauge; the chart and the export show the exact value
const EXACT_BELOW = 1e6;

/** `0.42`, `1,204`, `−3.1`, `1.27e9`; booleans as yes and no, texts as they are. */
export function valueText(value: Value): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'string') return value;
  return numberText(value);
}

export function numberText(value: number): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1e9 || size < 1e-4) return value.toExponential(2).replace('e+', 'e').replace('-', '−');
  if (Number.isInteger(value) && size < EXACT_BELOW) return grouped(value, 0);
  const whole = Math.floor(Math.log10(size)) + 1;
  return grouped(value, Math.min(4, Math.max(0, DIGITS - Math.max(whole, 1))));
}

/** `812 B`, `4.2 kB`, `1.3 GB`: decimal multiples, as links are sold. */
export function bytesText(sizeBytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let rest = sizeBytes;
  let step = 0;
  while (rest >= 1000 && step < units.length - 1) {
    rest /= 1000;
    step += 1;
  }
  return `${step === 0 ? Math.round(rest) : rest.toFixed(rest < 10 ? 1 : 0)} ${units[step]}`;
}

/** `ch4_pct` with unit `%` is `ch4`: the unit stands in its own column. */
export function metricLabel(metric: string, unit: string): string {
  const suffixes = UNIT_SUFFIXES[unit] ?? [];
  const suffix = suffixes.find((each) => metric.endsWith(each) && metric.length > each.length);
  const bare = suffix === undefined ? metric : metric.slice(0, -suffix.length);
  return bare.replaceAll('_', ' ');
}

// Suffixes that say nothing once the unit is shown.
const UNIT_SUFFIXES: Record<string, readonly string[]> = {
  '%': ['_pct'],
  ppm: ['_ppm'],
  ppb: ['_ppb'],
  'mg/m³': ['_mg_m3'],
  'µg/m³': ['_ug_m3'],
  '°C': ['_c'],
  K: ['_k'],
  Pa: ['_pa'],
  hPa: ['_hpa'],
  kPa: ['_kpa'],
  bar: ['_bar'],
  'mm/s': ['_mm_s'],
  'm/s': ['_mps', '_m_s'],
  'km/h': ['_kmh'],
  'm³/s': ['_m3_s'],
  'l/min': ['_l_min'],
  'l/h': ['_l_h'],
  l: ['_l'],
  g: ['_g'],
  bpm: ['_bpm'],
  rpm: ['_rpm'],
  Hz: ['_hz'],
  A: ['_a'],
  V: ['_v'],
  W: ['_w'],
  kW: ['_kw'],
  kWh: ['_kwh'],
  'N·m': ['_nm'],
  kN: ['_kn'],
  t: ['_t'],
  kg: ['_kg'],
  m: ['_m'],
  mm: ['_mm'],
  km: ['_km'],
  '°': ['_deg'],
  dB: ['_db'],
  dBm: ['_dbm'],
  'Mbit/s': ['_mbps'],
  ms: ['_ms'],
  s: ['_s'],
  h: ['_h'],
  lx: ['_lux'],
  'dB(A)': ['_dba'],
  J: ['_j'],
};

function grouped(value: number, fractionDigits: number): string {
  return value
    .toLocaleString('en-GB', { minimumFractionDigits: fractionDigits, maximumFractionDigits: fractionDigits })
    .replace('-', '−');
}
