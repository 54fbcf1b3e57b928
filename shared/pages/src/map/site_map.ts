// The drawn map: Leaflet without tiles. Owns the layers; is told what to show.

import L from 'leaflet';
import type { Asset } from '../domain/assets';
import {
  around,
  degreeText,
  graticuleLines,
  graticuleStepDeg,
  hull,
  northernEdge,
} from '../domain/geography';
import type { Bounds, LatLng, Plan } from '../domain/geography';
import { isFarWider, isOnEarth, isWithin, pointOf } from '../domain/outlook';
import type { Outlook, Reach } from '../domain/outlook';
import { AssetMarker } from './marker';
import { lookOf } from './symbols';

const ZOOM_MAX = 22;
const ZOOM_FIT_MAX = 19;
const GRATICULE_LINE_PX = 140;
const ZONE_PANE = 'zone-names';
const LABELS_MAX = 120; // more names than that cover the map
const LABEL_LEFT_PX = 12; // from the middle of the symbol
const LETTER_PX = 6.4;
const TRAIL_MS = 120_000; // of assets that are not selected; a selected one shows all that is known
const SCALE_BAR_PX = 40; // from below: the scale bar stands there
const EDGE_PX = 16; // a line this near to an edge has no room for its label
const TRAIL_KINDS = new Set(['vehicle', 'worker']);

export interface Scene {
  assets: readonly Asset[];
  outlook: Outlook;
  plan: Plan;
  trailOf: (key: string) => readonly { tsMs: number; at: LatLng }[];
  selected: string | null;
  following: boolean;
  level: string | null;
  nowMs: number;
}

export class SiteMap {
  readonly #map: L.Map;
  readonly #markers = new Map<string, AssetMarker>();
  readonly #trails = new Map<string, L.Polyline>();
  readonly #graticule = L.layerGroup();
  readonly #zones = L.layerGroup();
  readonly #roads = L.polyline([], { className: 'road', interactive: false });
  readonly #onPick: (key: string) => void;
  #zoneNames: { name: L.Marker; text: string }[] = [];
  #plan = '';
  #roadBounds: Bounds | null = null;
  #fitted: Bounds | null = null;
  /** Until the reader moves the map, it shows the whole site, also as it grows. */
  #showsAll = true;
  #moves = 0;

  constructor(element: HTMLElement, onPick: (key: string) => void, onDrag: () => void) {
    this.#onPick = onPick;
    this.#map = L.map(element, {
      zoomControl: false,
      zoomAnimation: !matchMedia('(prefers-reduced-motion: reduce)').matches,
      attributionControl: false,
      zoomSnap: 0.25,
      zoomDelta: 0.5,
      wheelPxPerZoomLevel: 90,
      maxZoom: ZOOM_MAX,
      minZoom: 3,
      keyboardPanDelta: 60,
      renderer: L.svg({ padding: 0.5 }),
    }).setView([0, 0], 3);
    L.control.scale({ imperial: false, maxWidth: 160 }).addTo(this.#map);
    this.#map.createPane(ZONE_PANE).style.zIndex = '450'; // names of zones below those of assets
    this.#graticule.addTo(this.#map);
    this.#zones.addTo(this.#map);
    this.#roads.addTo(this.#map);
    this.#map.on('moveend zoomend resize', () => this.#drawGraticule());
    this.#map.on('dragstart', onDrag);
    for (const gesture of ['mousedown', 'wheel', 'keydown', 'touchstart'] as const) {
      element.addEventListener(gesture, () => (this.#showsAll = false), { passive: true });
    }
  }

  destroy(): void {
    this.#map.remove();
  }

  resize(): void {
    this.#map.invalidateSize({ animate: false });
  }

  zoom(steps: number): void {
    this.#showsAll = false;
    if (steps > 0) this.#map.zoomIn(steps);
    else this.#map.zoomOut(-steps);
  }

  /** Shows the site: its roads, and everything with a position that belongs to it. */
  fit(scene: Scene): void {
    const box = this.#extent(scene);
    if (box === null) return;
    const bounds = L.latLngBounds([box.south, box.west], [box.north, box.east]);
    this.#map.fitBounds(bounds, { padding: [44, 44], maxZoom: ZOOM_FIT_MAX, animate: this.#fitted !== null });
    this.#fitted = box;
    this.#showsAll = true;
  }

  draw(scene: Scene): void {
    const shown = shownAssets(scene).filter((asset) => pointOf(asset) !== null);
    this.#drawPlan(scene);
    if (this.#showsAll && !scene.following && this.#isUnfit(this.#extent(scene))) this.fit(scene);
    this.#drawAssets(scene, shown);
    const chosen = scene.following ? shown.find(({ key }) => key === scene.selected) : undefined;
    if (chosen?.place) this.#keepInView([chosen.place.latDeg, chosen.place.lngDeg]);
  }

  /** Brings an asset into view, where it is not yet. */
  reveal(asset: Asset): void {
    const point = pointOf(asset);
    if (point === null) return;
    const at = L.latLng(point[0], point[1]);
    if (this.#map.getBounds().pad(-0.1).contains(at)) return;
    this.#showsAll = false;
    this.#map.panTo(at);
  }

  /** The box around roads and positions, or null while there is neither. */
  #extent({ outlook, level }: Scene): Bounds | null {
    const leading = shownAssets({ assets: outlook.leading, level });
    const points = leading.map((asset) => pointOf(asset)).filter((point) => point !== null);
    return points.reduce<Bounds | null>(around, level === null ? this.#roadBounds : null);
  }

  /** Whether a part of the site is out of view, or the view shows far more than the site. */
  #isUnfit(box: Bounds | null): boolean {
    if (box === null || this.#fitted === null) return box !== null;
    if (isFarWider(this.#fitted, box)) return true;
    return !this.#map.getBounds().contains(L.latLngBounds([box.south, box.west], [box.north, box.east]));
  }

  #keepInView([latDeg, lngDeg]: LatLng): void {
    this.#moves += 1;
    this.#map.panTo([latDeg, lngDeg], { animate: this.#moves > 1, duration: 0.4 });
  }

  #drawAssets(scene: Scene, shown: readonly Asset[]): void {
    const gone = new Set(this.#markers.keys());
    const labelled = this.#labelled(scene, shown);
    for (const asset of shown) {
      gone.delete(asset.key);
      let marker = this.#markers.get(asset.key);
      if (marker === undefined) {
        marker = new AssetMarker(asset, this.#onPick);
        marker.marker.addTo(this.#map);
        this.#markers.set(asset.key, marker);
      }
      const isSelected = asset.key === scene.selected;
      marker.update(asset, lookOf(asset, scene.nowMs), isSelected, labelled.has(asset.key));
      if (TRAIL_KINDS.has(asset.kind)) this.#drawTrail(asset, scene, isSelected);
    }
    for (const key of gone) {
      this.#markers.get(key)?.marker.remove();
      this.#markers.delete(key);
      this.#trails.get(key)?.remove();
      this.#trails.delete(key);
    }
  }

  /** Whose names have room: first the selected one and faults, then who stands in whose way least. */
  #labelled(scene: Scene, shown: readonly Asset[]): Set<string> {
    const labelled = new Set<string>();
    const taken: L.Bounds[] = [];
    const urgency = (asset: Asset): number =>
      asset.key === scene.selected ? 0 : lookOf(asset, scene.nowMs) === 'normal' ? 2 : 1;
    for (const asset of [...shown].sort((a, b) => urgency(a) - urgency(b))) {
      if (asset.place === null) continue;
      const at = this.#map.latLngToContainerPoint([asset.place.latDeg, asset.place.lngDeg]);
      const label = L.bounds(
        at.add([LABEL_LEFT_PX, -8]),
        at.add([LABEL_LEFT_PX + LETTER_PX * asset.name.length, 8]),
      );
      if (labelled.size >= LABELS_MAX || taken.some((each) => each.overlaps(label))) continue;
      taken.push(label);
      labelled.add(asset.key);
    }
    this.#hideZoneNames(taken);
    return labelled;
  }

  /** Names of zones give way to names of assets, and to each other. */
  #hideZoneNames(taken: L.Bounds[]): void {
    for (const { name, text } of this.#zoneNames) {
      const at = this.#map.latLngToContainerPoint(name.getLatLng());
      const half = (LETTER_PX * text.length) / 2;
      const label = L.bounds(at.add([-half, -26]), at.add([half, -12]));
      const isFree = !taken.some((each) => each.overlaps(label));
      if (isFree) taken.push(label);
      name.getElement()?.classList.toggle('hidden', !isFree);
    }
  }

  #drawTrail(asset: Asset, scene: Scene, isSelected: boolean): void {
    const fromMs = isSelected ? 0 : asset.tsMs - TRAIL_MS;
    const { reach, astray } = scene.outlook;
    const isAstray = astray.includes(asset); // no line across the map joins a bad fix to the site
    const recent = scene
      .trailOf(asset.key)
      .filter(({ tsMs, at }) => tsMs >= fromMs && isOnEarth(at) && isWithin(reach, at) !== isAstray);
    let trail = this.#trails.get(asset.key);
    if (trail === undefined) {
      trail = L.polyline([], { className: `trail ${asset.kind}`, interactive: false }).addTo(this.#map);
      this.#trails.set(asset.key, trail);
    }
    trail.setLatLngs(recent.map(({ at: [lat, lng] }) => L.latLng(lat, lng)));
    trail.getElement()?.classList.toggle('selected', isSelected);
  }

  #drawPlan({ plan, level, outlook: { reach } }: Scene): void {
    const wanted = `${plan.version} ${level ?? ''} ${coarseText(reach)}`;
    if (wanted === this.#plan) return;
    this.#plan = wanted;
    const roads = plan.segments().filter((ends) => ends.every((end) => isWithin(reach, end)));
    this.#roads.setLatLngs(roads.map((ends) => ends.map(([lat, lng]) => L.latLng(lat, lng))));
    this.#roadBounds = roads.flat().reduce<Bounds | null>(around, null);
    this.#zones.clearLayers();
    this.#zoneNames = [];
    for (const zone of plan.zones()) {
      if (level !== null && zone.level !== level) continue;
      const outline = hull(zone.points.filter((point) => isWithin(reach, point))) as [number, number][];
      if (outline.length === 0) continue;
      if (outline.length > 2)
        L.polygon(outline, { className: 'zone', interactive: false }).addTo(this.#zones);
      const [lat, lng] = northernEdge(outline);
      const name = textMarker([lat, lng], zone.zone, 'zone-label', ZONE_PANE);
      this.#zones.addLayer(name);
      this.#zoneNames.push({ name, text: zone.zone });
    }
  }

  #drawGraticule(): void {
    this.#graticule.clearLayers();
    const bounds = this.#map.getBounds();
    const size = this.#map.getSize();
    const [south, north, west, east] = [
      bounds.getSouth(),
      bounds.getNorth(),
      bounds.getWest(),
      bounds.getEast(),
    ];
    const step = graticuleStepDeg(east - west, Math.max(1, size.x / GRATICULE_LINE_PX));
    for (const lat of graticuleLines(south, north, step)) {
      L.polyline(
        [
          [lat, west],
          [lat, east],
        ],
        { className: 'graticule', interactive: false },
      ).addTo(this.#graticule);
      const { y } = this.#map.latLngToContainerPoint([lat, west]);
      if (y < 2 * EDGE_PX || y > size.y - SCALE_BAR_PX) continue;
      this.#graticule.addLayer(
        textMarker([lat, west], degreeText(lat, step, 'N', 'S'), 'graticule-label latitude'),
      );
    }
    for (const lng of graticuleLines(west, east, step)) {
      L.polyline(
        [
          [south, lng],
          [north, lng],
        ],
        { className: 'graticule', interactive: false },
      ).addTo(this.#graticule);
      if (this.#map.latLngToContainerPoint([north, lng]).x < EDGE_PX) continue;
      this.#graticule.addLayer(
        textMarker([north, lng], degreeText(lng, step, 'E', 'W'), 'graticule-label longitude'),
      );
    }
  }
}

/** Changes with the reach only when that moves by a kilometre or so: the plan is not drawn anew for less. */
function coarseText(reach: Reach | null): string {
  if (reach === null) return '';
  const [latDeg, lngDeg] = reach.centre;
  return `${latDeg.toFixed(2)} ${lngDeg.toFixed(2)} ${Math.round(reach.limitM / 1_000)}`;
}

/** The assets with a position on the level that is looked at. */
export function shownAssets({ assets, level }: Pick<Scene, 'assets' | 'level'>): Asset[] {
  return assets.filter(({ place }) => place !== null && (level === null || place.level === level));
}

function textMarker(at: [number, number], text: string, className: string, pane = 'markerPane'): L.Marker {
  const label = document.createElement('span');
  label.textContent = text;
  const icon = L.divIcon({ html: label, className, iconSize: [0, 0] });
  return L.marker(at, { icon, pane, interactive: false, keyboard: false });
}
