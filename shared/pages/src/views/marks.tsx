// Small drawings. Shape always carries what colour carries, for readers who see no colour.

/** The product's mark: a headframe with its sheave wheel. */
export function Mark({ size }: { size: number }) {
  return (
    <svg class="mark" width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <circle cx="15" cy="9" r="3.6" />
      <path d="M12 12 8 26M18 12l4 14M10.3 18h9.4M9.2 22.5h11.7M18.4 10.5 27 26M5 26h23" />
    </svg>
  );
}

export type Condition = 'good' | 'waiting' | 'bad' | 'off';

/** Full disc: good; half: waiting; cross: bad; ring: off. */
export function ConditionMark({ condition }: { condition: Condition }) {
  return (
    <svg class={`condition ${condition}`} width="12" height="12" viewBox="0 0 12 12" aria-hidden="true">
      {condition === 'good' && <circle cx="6" cy="6" r="4.5" class="fill" />}
      {condition === 'waiting' && (
        <>
          <circle cx="6" cy="6" r="4.25" class="line" />
          <path d="M6 1.75a4.25 4.25 0 0 1 0 8.5z" class="fill" />
        </>
      )}
      {condition === 'bad' && <path d="m2 2 8 8M10 2l-8 8" class="line thick" />}
      {condition === 'off' && <circle cx="6" cy="6" r="4" class="line" />}
    </svg>
  );
}

const ICONS = {
  chart: 'M2 2v12h12M4.5 10.5l3-4 2.5 2.5L14 4',
  locate: 'M8 1.5v3M8 11.5v3M1.5 8h3M11.5 8h3M8 4.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7z',
  close: 'm3.5 3.5 9 9M12.5 3.5l-9 9',
  sun: 'M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM8 1v1.6M8 13.4V15M1 8h1.6M13.4 8H15M3 3l1.1 1.1M11.9 11.9 13 13M13 3l-1.1 1.1M4.1 11.9 3 13',
  moon: 'M13.5 9.8A6 6 0 0 1 6.2 2.5a6 6 0 1 0 7.3 7.3z',
  help: 'M6 6.2A2 2 0 1 1 8.6 8c-.4.2-.6.5-.6 1v.5M8 12v.2',
  left: 'M10 3 5 8l5 5',
  right: 'm6 3 5 5-5 5',
  plus: 'M8 3v10M3 8h10',
  minus: 'M3 8h10',
  reset: 'M3 8a5 5 0 1 0 1.6-3.7M3 2.5v3h3',
  down: 'm3.5 6 4.5 4.5L12.5 6',
  up: 'M3.5 10 8 5.5l4.5 4.5',
  fit: 'M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4',
  follow: 'M8 2 3.5 13.5 8 11l4.5 2.5z',
  save: 'M8 2v8M4.5 7 8 10.5 11.5 7M2.5 13.5h11',
  table: 'M2 3h12v10H2zM2 6.5h12M2 10h12M7 3v10',
  out: 'M6 2.5H2.5v11H6M7 8h7M11 5l3 3-3 3',
  copy: 'M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3',
} as const;

export type IconName = keyof typeof ICONS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
      <path d={ICONS[name]} />
    </svg>
  );
}
