// Fingers on the chart: one moves in time, two zoom. Vertical moves still scroll the page.

import { panned, zoomed } from '../domain/ranges';
import type { Span } from '../domain/ranges';
import { serverNowMs } from '../state/clock';

/** Follows touches on `surface`. Returns how to stop. */
export function followTouch(
  surface: HTMLElement,
  span: () => Span,
  onSpan: (span: Span) => void,
): () => void {
  const fingers = new Map<number, number>(); // pointer id to its x
  let from = span();
  let fromX: number[] = [];

  const restart = (): void => {
    from = span();
    fromX = [...fingers.values()];
  };
  const onDown = (event: PointerEvent): void => {
    if (event.pointerType !== 'touch') return;
    fingers.set(event.pointerId, event.clientX);
    restart();
  };
  const onMove = (event: PointerEvent): void => {
    if (!fingers.has(event.pointerId)) return;
    fingers.set(event.pointerId, event.clientX);
    const box = surface.getBoundingClientRect();
    const [a, b] = [...fingers.values()];
    const [fromA, fromB] = fromX;
    if (a === undefined || fromA === undefined) return;
    if (b === undefined || fromB === undefined) {
      onSpan(panned(from, (fromA - a) / box.width, serverNowMs()));
      return;
    }
    const distance = Math.max(20, Math.abs(a - b));
    const anchor = ((fromA + fromB) / 2 - box.left) / box.width;
    onSpan(zoomed(from, Math.max(20, Math.abs(fromA - fromB)) / distance, anchor));
  };
  const onEnd = (event: PointerEvent): void => {
    if (fingers.delete(event.pointerId)) restart();
  };
  surface.addEventListener('pointerdown', onDown);
  surface.addEventListener('pointermove', onMove);
  surface.addEventListener('pointerup', onEnd);
  surface.addEventListener('pointercancel', onEnd);
  return () => {
    surface.removeEventListener('pointerdown', onDown);
    surface.removeEventListener('pointermove', onMove);
    surface.removeEventListener('pointerup', onEnd);
    surface.removeEventListener('pointercancel', onEnd);
  };
}
