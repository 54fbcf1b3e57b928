// Alerts that stand, and which come first. Pure.

export const SEVERITIES = ['critical', 'high', 'medium', 'low'] as const; // the gravest first
export type Severity = (typeof SEVERITIES)[number];

export interface Alert {
  id: string;
  severity: Severity;
  message: string;
  /** What it is about: `site/kind/id/metric`. */
  series: string;
  raisedMs: number;
}

/** The gravest first; of equal ones that which was raised last. */
export function gravestFirst(alerts: readonly Alert[]): Alert[] {
  return [...alerts].sort(
    (a, b) =>
      SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity) ||
      b.raisedMs - a.raisedMs ||
      a.id.localeCompare(b.id),
  );
}
