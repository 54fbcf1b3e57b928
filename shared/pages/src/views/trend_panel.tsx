// The chart of stored and live series.
export function TrendPanel() {
  return <section class="panel trend" aria-label="Chart" id="chart" tabIndex={-1} />;
}
