// The map of the site, and the list that gives the same to the keyboard and to screen readers.

import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { SiteMap, shownAssets } from '../map/site_map';
import type { Scene } from '../map/site_map';
import { KIND_TITLES } from '../domain/assets';
import type { Asset } from '../domain/assets';
import { numberText } from '../domain/quantities';
import { outlookOf } from '../domain/outlook';
import { lookOf } from '../map/symbols';
import { nowMs } from '../state/clock';
import { assets, catalogueRevision, plan, revision, sourceStates, trailOf } from '../state/live';
import { startPast } from '../state/tracks_past';
import { address, go, select, selected, view } from '../state/view';
import { AssetCard, AssetList } from './asset_list';
import { MapKey } from './map_key';
import { Icon } from './marks';

const ASTRAY_NAMED_MAX = 3; // the list holds all

const following = signal(false);
const listInOverview = signal(false);

export function MapPanel() {
  const box = useRef<HTMLDivElement>(null);
  const map = useRef<SiteMap | null>(null);
  void revision.value;
  const scene = sceneNow();
  const shown = shownAssets(scene);
  const listed = view.value === 'map' || listInOverview.value;

  useEffect(() => {
    if (box.current === null) return;
    const made = new SiteMap(box.current, pick, () => (following.value = false));
    map.current = made;
    const observer = new ResizeObserver(() => made.resize());
    observer.observe(box.current);
    const stopPast = startPast();
    return () => {
      stopPast();
      observer.disconnect();
      made.destroy();
      map.current = null;
    };
  }, []);
  useEffect(() => map.current?.draw(scene));
  useEffect(() => {
    const asset = assets.get(selected.value ?? '');
    if (asset !== undefined) map.current?.reveal(asset);
  }, [selected.value]);

  const fit = (): void => {
    following.value = false;
    map.current?.fit(sceneNow());
  };
  const keys: Record<string, () => void> = { '0': fit, f: toggleFollowing, F: toggleFollowing };

  return (
    <section class="panel map" aria-labelledby="map-title">
      <header class="panel-head">
        <h2 id="map-title">Map</h2>
        <Levels />
        <div class="tool-row" role="group" aria-label="Map tools">
          <MapTool icon="minus" title="Zoom out (−)" act={() => map.current?.zoom(-1)} />
          <MapTool icon="plus" title="Zoom in (+)" act={() => map.current?.zoom(1)} />
          <MapTool icon="fit" title="Fit the site (0)" act={fit} />
          <MapTool
            icon="follow"
            title="Follow the selected asset (F)"
            act={toggleFollowing}
            pressed={following.value}
            disabled={selected.value === null}
          />
          {view.value !== 'map' && (
            <MapTool
              icon="table"
              title="Positions as a list"
              act={() => (listInOverview.value = !listInOverview.value)}
              pressed={listed}
            />
          )}
        </div>
      </header>
      <div class="map-body">
        <div class="map-place">
          <div
            ref={box}
            id="map"
            class="map-box"
            tabIndex={0}
            role="application"
            aria-label={`Map of ${shown.length} positions. Arrow keys move, plus and minus zoom, 0 fits the site. The list of positions holds the same.`}
            onKeyDown={(event) => {
              const act = keys[event.key];
              if (act === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
              event.preventDefault();
              act();
            }}
          />
          {shown.length === 0 && <p class="map-empty">{emptyWords()}</p>}
          <MapKey assets={shown} nowMs={scene.nowMs} />
          <div class="map-words">
            <Refusal />
            <Astray
              assets={shownAssets({ assets: scene.outlook.astray, level: scene.level })}
              onList={() => (listInOverview.value = true)}
              isListed={listed}
            />
          </div>
        </div>
        {listed ? (
          <aside class="map-side">
            <Selected />
            <AssetList assets={shown} nowMs={scene.nowMs} selected={selected.value} onPick={pick} />
          </aside>
        ) : (
          selected.value !== null && (
            <aside class="map-float">
              <Selected />
            </aside>
          )
        )}
      </div>
    </section>
  );
}

function Selected() {
  void revision.value; // assets change in place
  const asset = assets.get(selected.value ?? '');
  if (asset === undefined) return null;
  return (
    <AssetCard
      asset={asset}
      nowMs={nowMs.value}
      following={following.value}
      onFollow={toggleFollowing}
      onClose={() => pick(null)}
    />
  );
}

function sceneNow(): Scene {
  const known = [...assets.values()];
  const isOffline = (asset: Asset): boolean => lookOf(asset, nowMs.value) === 'offline';
  return {
    assets: known,
    outlook: outlookOf(known, isOffline),
    plan,
    trailOf,
    selected: selected.value,
    following: following.value,
    level: address.value.level,
    nowMs: nowMs.value,
  };
}

function pick(key: string | null): void {
  select(key);
  if (key === null) following.value = false;
}

function toggleFollowing(): void {
  following.value = selected.value !== null && !following.value;
}

/** Levels as assets name them; nothing to choose where there is one. */
function Levels() {
  void catalogueRevision.value;
  void nowMs.value; // an asset may change its level
  const levels = [
    ...new Set([...assets.values()].map(({ place }) => place?.level).filter((level) => level != null)),
  ].sort();
  const current = address.value.level;
  if (levels.length < 2 && current === null) return null;
  const choices: [string | null, string][] = [
    [null, 'All levels'],
    ...levels.map((level): [string, string] => [level, level]),
  ];
  return (
    <div class="segments" role="group" aria-label="Level">
      {choices.map(([level, title]) => (
        <button key={title} aria-pressed={current === level} onClick={() => go({ level })}>
          {title}
        </button>
      ))}
    </div>
  );
}

function MapTool(props: {
  icon: 'minus' | 'plus' | 'fit' | 'follow' | 'table';
  title: string;
  act: () => void;
  pressed?: boolean;
  disabled?: boolean;
}) {
  return (
    <button
      class="quiet"
      title={props.title}
      aria-label={props.title}
      aria-pressed={props.pressed}
      disabled={props.disabled}
      onClick={props.act}
    >
      <Icon name={props.icon} />
    </button>
  );
}

/** Says which kind is missing on the map because the account may not see it. */
function Refusal() {
  const missing = [...sourceStates.value].filter(([, { state }]) => state === 'refused');
  if (missing.length === 0) return null;
  const titles = missing.map(([kind]) => KIND_TITLES[kind]);
  return <p class="map-word">{titles.join(', ')} not shown: this account lacks the right.</p>;
}

/** Names the assets that the view is not fitted to; picking one shows where it says it is. */
function Astray(props: { assets: readonly Asset[]; onList: () => void; isListed: boolean }) {
  const { assets: astray } = props;
  if (astray.length === 0) return null;
  const named = astray.slice(0, ASTRAY_NAMED_MAX);
  const others = astray.length - named.length;
  return (
    <p class="map-word astray">
      {numberText(astray.length)} {astray.length === 1 ? 'asset' : 'assets'} far away or without a valid
      place:
      {named.map(({ key, name }) => (
        <button
          key={key}
          class="quiet"
          title="Show its details and where it says it is"
          onClick={() => pick(key)}
        >
          {name}
        </button>
      ))}
      {others > 0 &&
        (props.isListed ? (
          <span>and {numberText(others)} more</span>
        ) : (
          <button class="quiet" onClick={props.onList}>
            {numberText(others)} more in the list
          </button>
        ))}
    </p>
  );
}

function emptyWords(): string {
  const known: Asset[] = [...assets.values()];
  if (address.value.level !== null) return `Nothing with a position on ${address.value.level} right now.`;
  return known.length === 0
    ? 'Waiting for the first positions…'
    : 'No asset of this site has reported a position yet.';
}
