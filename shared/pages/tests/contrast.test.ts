// Every text and mark has the contrast that WCAG 2.2 AA asks for, in light and in dark.

import { describe, expect, it } from 'vitest';
import tokens from '../src/styles/tokens.css?raw';

const TEXT = 4.5;
const MARK = 3; // lines, outlines and symbols (1.4.11)

/** Foreground, ground, least contrast. */
const PAIRS: readonly (readonly [string, string, number])[] = [
  ...['ground', 'panel', 'raised', 'head', 'hover', 'picked', 'plan'].flatMap(
    (ground) =>
      [
        ['text', ground, TEXT],
        ['muted', ground, TEXT],
      ] as const,
  ),
  ['accent', 'panel', TEXT],
  ['accent', 'picked', TEXT],
  ['on-accent', 'accent-ground', TEXT],
  ['good', 'panel', TEXT],
  ['warn', 'panel', TEXT],
  ['warn', 'warn-ground', TEXT],
  ['warn', 'head', TEXT],
  ['bad', 'panel', TEXT],
  ['bad', 'bad-ground', TEXT],
  ['bad', 'plan', TEXT],
  ['text', 'bad-ground', TEXT],
  ['text', 'warn-ground', TEXT],
  ['muted', 'warn-ground', TEXT],
  ['muted', 'bad-ground', TEXT],
  ['stale', 'panel', TEXT],
  ['stale', 'stale-ground', TEXT],
  ['stale', 'plan', TEXT],
  ['text', 'stale-ground', TEXT],
  ['muted', 'stale-ground', TEXT],
  ['bar-text', 'bar', TEXT],
  ['bar-muted', 'bar', TEXT],
  ['bar-muted', 'bar-hover', TEXT],
  ...[1, 2, 3, 4].map((at) => [`series-${at}`, 'panel', MARK] as const),
  ...[1, 2, 3, 4].map((at) => ['panel', `series-${at}`, TEXT] as const),
  ...[1, 2, 3, 4].map((at) => ['text', `lane-${at}`, TEXT] as const),
  ['text', 'line', TEXT],
  ['panel', 'bad', TEXT],
  ['shape', 'plan', MARK],
  ['shape-worker', 'plan', MARK],
  ['trail', 'plan', MARK],
];

const LIGHT = read(/:root \{([^}]*)\}/);
const DARK = { ...LIGHT, ...read(/:root\[data-theme='dark'\] \{([^}]*)\}/) };

describe.each([
  ['light', LIGHT],
  ['dark', DARK],
])('%s', (_name, colors) => {
  it.each(PAIRS)('%s on %s has at least %f', (front, ground, least) => {
    expect(contrast(colors[front]!, colors[ground]!)).toBeGreaterThanOrEqual(least);
  });
});

function read(block: RegExp): Record<string, string> {
  const body = block.exec(tokens)?.[1] ?? '';
  return Object.fromEntries(
    [...body.matchAll(/--([a-z0-9-]+):\s*(#[0-9a-f]{6});/g)].map(([, name, color]) => [name, color]),
  );
}

function contrast(a: string, b: string): number {
  const [bright, dim] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (bright! + 0.05) / (dim! + 0.05);
}

/** Relative luminance by WCAG 2.2. */
function luminance(color: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const share = parseInt(color.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
}
