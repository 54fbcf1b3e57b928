// Roads, zones and graticule as positions draw them.

import { describe, expect, it } from 'vitest';
import { Plan, degreeText, distanceM, graticuleLines, graticuleStepDeg, hull } from '../src/domain/geography';
import type { LatLng } from '../src/domain/geography';

const METRE_DEG = 1 / 111_320;
const at = (eastM: number, northM: number): LatLng => [northM * METRE_DEG, eastM * METRE_DEG]; // at the equator

describe('distances', () => {
  it('are metres, shorter per degree of longitude away from the equator', () => {
    expect(distanceM([0, 0], [0, 1])).toBeCloseTo(111_320);
    expect(distanceM([60, 0], [60, 1])).toBeCloseTo(111_320 / 2); // cos 60° = 1/2
  });
});

describe('the graticule', () => {
  it('takes readable steps', () => {
    expect(graticuleStepDeg(0.009, 5)).toBeCloseTo(0.002);
    expect(graticuleLines(7.4182, 7.4241, 0.002)).toEqual([
      expect.closeTo(7.42),
      expect.closeTo(7.422),
      expect.closeTo(7.424),
    ]);
  });

  it('labels with as many digits as the step needs', () => {
    expect(degreeText(10.488, 0.002, 'N', 'S')).toBe('10.488° N');
    expect(degreeText(-7.5, 0.5, 'E', 'W')).toBe('7.5° W');
    expect(degreeText(0, 1, 'N', 'S')).toBe('0°');
  });
});

describe('hulls', () => {
  it('leave out what lies within', () => {
    const corners = [at(0, 0), at(10, 0), at(10, 10), at(0, 10)];
    expect(hull([...corners, at(5, 5), at(5, 0)])).toHaveLength(4);
  });

  it('of one or two points are those points', () => {
    expect(hull([at(1, 1)])).toEqual([at(1, 1)]);
  });
});

describe('the plan', () => {
  it('keeps a road once, however often and in whatever direction it is driven', () => {
    const plan = new Plan();
    expect(plan.addMove(at(0, 0), at(100, 0))).toBe(true);
    expect(plan.addMove(at(100, 0), at(1, 1))).toBe(false);
    expect(plan.segments()).toHaveLength(1);
  });

  it('draws no road across a gap in reception, nor for a machine that stands', () => {
    const plan = new Plan();
    expect(plan.addMove(at(0, 0), at(5_000, 0))).toBe(false);
    expect(plan.addMove(at(0, 0), at(0.5, 0))).toBe(false);
    expect(plan.version).toBe(0);
  });

  it('tells zones of the same name on two levels apart', () => {
    const plan = new Plan();
    plan.addSighting(at(0, 0), 'workshop', 'surface');
    plan.addSighting(at(0, 0), 'workshop', 'level-170');
    plan.addSighting(at(1, 1), 'workshop', 'level-170'); // within the same cell
    expect(plan.zones().map(({ level, points }) => [level, points.length])).toEqual([
      ['surface', 1],
      ['level-170', 1],
    ]);
  });
});
