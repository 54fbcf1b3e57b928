// A long list of which only the visible rows exist. Owns the scroll arithmetic, knows no content.

import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { ComponentChildren } from 'preact';

const OVERSCAN_ROWS = 6; // drawn beyond each edge, so that fast scrolling shows no empty stretch

interface Props {
  id: string;
  label: string;
  count: number;
  columns: number;
  rowHeightPx: number;
  active: number;
  onActive: (index: number) => void;
  onKey: (event: KeyboardEvent) => void;
  /** The header row, which stays in view. */
  head: ComponentChildren;
  row: (index: number) => ComponentChildren;
}

/** A grid with one tab stop: arrow keys move the active row, the rest is up to `onKey`. */
export function VirtualList(props: Props) {
  const { count, rowHeightPx, active } = props;
  const box = useRef<HTMLDivElement>(null);
  const [scrollPx, setScrollPx] = useState(0);
  const [heightPx, setHeightPx] = useState(600);

  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => setHeightPx(element.clientHeight));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const first = Math.max(0, Math.floor(scrollPx / rowHeightPx) - OVERSCAN_ROWS);
  const last = Math.min(count, Math.ceil((scrollPx + heightPx) / rowHeightPx) + OVERSCAN_ROWS);
  const shown = Array.from({ length: Math.max(0, last - first) }, (_, each) => first + each);

  function move(index: number): void {
    const next = Math.min(count - 1, Math.max(0, index));
    props.onActive(next);
    const element = box.current;
    if (element === null) return;
    const topPx = next * rowHeightPx;
    const roomPx = element.clientHeight - rowHeightPx; // the header covers one row
    if (topPx < element.scrollTop) element.scrollTop = topPx;
    else if (topPx + rowHeightPx > element.scrollTop + roomPx)
      element.scrollTop = topPx + rowHeightPx - roomPx;
  }

  function onKeyDown(event: KeyboardEvent): void {
    const page = Math.max(1, Math.floor(heightPx / rowHeightPx) - 2);
    const targets: Record<string, number> = {
      ArrowDown: active + 1,
      ArrowUp: active - 1,
      PageDown: active + page,
      PageUp: active - page,
      Home: 0,
      End: count - 1,
    };
    const target = targets[event.key];
    if (target === undefined || event.ctrlKey || event.metaKey || event.altKey) return props.onKey(event);
    event.preventDefault();
    move(target);
  }

  return (
    <div
      ref={box}
      id={props.id}
      class="virtual"
      role="grid"
      tabIndex={0}
      aria-label={props.label}
      aria-rowcount={count + 1}
      aria-colcount={props.columns}
      aria-activedescendant={active >= first && active < last ? `${props.id}-${active}` : undefined}
      onScroll={(event) => setScrollPx(event.currentTarget.scrollTop)}
      onKeyDown={onKeyDown}
    >
      {props.head}
      <div class="virtual-rows" role="rowgroup" style={{ height: `${count * rowHeightPx}px` }}>
        <div
          class="virtual-window"
          role="presentation"
          style={{ transform: `translateY(${first * rowHeightPx}px)` }}
        >
          {shown.map(props.row)}
        </div>
      </div>
    </div>
  );
}
