// The drawn chart: uPlot in a box. Owns pointer, wheel, touch and keys; knows no API.

import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { aligned } from '../domain/lines';
import { zoomed } from '../domain/ranges';
import type { Span } from '../domain/ranges';
import { isDark } from '../state/preferences';
import type { Track } from '../state/chart';
import { followTouch } from './touch';
import { plotOptions } from './options';

export interface PlotProps {
  tracks: readonly Track[];
  span: Span;
  zone: string;
  label: string;
  onSpan: (span: Span) => void;
  onCursor: (tsMs: number | null) => void;
  onWidth: (widthPx: number) => void;
  onReset: () => void;
  onKey: (event: KeyboardEvent) => void;
}

/** Wheel travel of one notch (100) zooms by this factor. */
const ZOOM_PER_NOTCH = 1.25;

export function Plot(props: PlotProps) {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;

  const dark = isDark();
  const signature = JSON.stringify([
    props.tracks.map(({ series, unit, grain, stretches }) => [series, unit, grain.kind, stretches === null]),
    props.zone,
    dark,
  ]);

  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    const made = new uPlot(
      plotOptions(latest, sizeOf(element)),
      aligned(latest.current.tracks.map(({ line }) => line)) as uPlot.AlignedData,
      element,
    );
    chart.current = made;
    const stopWheel = followWheel(made, latest);
    const stopTouch = followTouch(
      made.over,
      () => latest.current.span,
      (span) => latest.current.onSpan(span),
    );
    return () => {
      stopWheel();
      stopTouch();
      // What was asked of it is drawn in a microtask, after this: with tracks that have no scale here.
      made.hooks.draw = [];
      made.destroy();
      chart.current = null;
    };
  }, [signature]);

  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => {
      const size = sizeOf(element);
      chart.current?.setSize(size);
      latest.current.onWidth(size.width);
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const lines = props.tracks.map(({ line }) => line);
  useEffect(() => {
    chart.current?.setData(aligned(lines) as uPlot.AlignedData);
  }, [props.tracks, props.span.startMs, props.span.endMs, signature]);

  return (
    <div
      ref={box}
      id="chart"
      class="plot"
      tabIndex={0}
      role="group"
      aria-roledescription="chart"
      aria-label={props.label}
      onKeyDown={props.onKey}
    />
  );
}

function sizeOf(element: HTMLElement): { width: number; height: number } {
  return { width: Math.max(120, element.clientWidth), height: Math.max(100, element.clientHeight) };
}

function followWheel(chart: uPlot, latest: { current: PlotProps }): () => void {
  const onWheel = (event: WheelEvent): void => {
    event.preventDefault();
    const { span, onSpan } = latest.current;
    const box = chart.over.getBoundingClientRect();
    const anchor = (event.clientX - box.left) / box.width;
    const notches = (event.deltaMode === 1 ? event.deltaY * 33 : event.deltaY) / 100;
    onSpan(zoomed(span, ZOOM_PER_NOTCH ** notches, anchor));
  };
  chart.over.addEventListener('wheel', onWheel, { passive: false });
  return () => chart.over.removeEventListener('wheel', onWheel);
}
