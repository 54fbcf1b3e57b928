// One asset on the map. Touches the document only where something about the asset changed.

import L from 'leaflet';
import type { Asset } from '../domain/assets';
import { SHAPES, TURNS, headingOf } from './symbols';
import type { Look } from './symbols';

const SIZE_PX = 24;
const SVG = 'http://www.w3.org/2000/svg';

export class AssetMarker {
  readonly marker: L.Marker;
  readonly #root: HTMLElement;
  readonly #turning: SVGGElement;
  readonly #label: HTMLElement;
  #drawn = '';

  constructor(asset: Asset, onPick: (key: string) => void) {
    this.#root = document.createElement('div');
    this.#root.className = `symbol ${asset.kind}`;
    const { svg, turning } = drawing(asset);
    this.#turning = turning;
    this.#label = document.createElement('span');
    this.#label.className = 'symbol-label';
    this.#root.append(svg, this.#label);
    const icon = L.divIcon({ html: this.#root, className: 'asset-icon', iconSize: [SIZE_PX, SIZE_PX] });
    const at = asset.place ?? { latDeg: 0, lngDeg: 0 };
    // The list beside the map is where the keyboard picks an asset.
    this.marker = L.marker([at.latDeg, at.lngDeg], { icon, keyboard: false });
    this.marker.on('click', () => onPick(asset.key));
  }

  update(asset: Asset, look: Look, isSelected: boolean, hasLabel: boolean): void {
    const { place } = asset;
    if (place === null) return;
    const at = this.marker.getLatLng();
    if (at.lat !== place.latDeg || at.lng !== place.lngDeg)
      this.marker.setLatLng([place.latDeg, place.lngDeg]);
    const heading = headingOf(asset);
    const drawn = `${look} ${isSelected} ${hasLabel} ${heading ?? ''} ${asset.name}`;
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    this.#root.className = `symbol ${asset.kind} ${look} ${isSelected ? 'selected' : ''}`;
    this.#label.textContent = asset.name;
    this.#label.hidden = !hasLabel;
    this.#turning.setAttribute(
      'transform',
      `rotate(${TURNS[asset.kind] || heading !== null ? (heading ?? 0) : 0} 12 12)`,
    );
    this.#turning.classList.toggle('has-heading', heading !== null);
    this.marker.setZIndexOffset(isSelected ? 1000 : look === 'fault' ? 500 : 0);
  }
}

function drawing(asset: Asset): { svg: SVGSVGElement; turning: SVGGElement } {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  const ring = document.createElementNS(SVG, 'circle');
  ring.setAttribute('class', 'ring');
  for (const [name, value] of [
    ['cx', '12'],
    ['cy', '12'],
    ['r', '11'],
  ] as const)
    ring.setAttribute(name, value);
  const turning = document.createElementNS(SVG, 'g');
  turning.append(path('body', SHAPES[asset.kind]));
  if (!TURNS[asset.kind]) turning.append(path('heading', 'M12 6V1.5'));
  svg.append(ring, turning, path('cross', 'M5 5 19 19M19 5 5 19'), path('alert', 'M12 8.5v4.5M12 15.2v.3'));
  return { svg, turning };
}

function path(name: string, d: string): SVGPathElement {
  const element = document.createElementNS(SVG, 'path');
  element.setAttribute('class', name);
  element.setAttribute('d', d);
  return element;
}
