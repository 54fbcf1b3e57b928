// The map of the site.
export function MapPanel() {
  return <section class="panel map" aria-label="Map" id="map" tabIndex={-1} />;
}
