// A short memory of numbers over time: what a sparkline or a live tail needs. Pure.

/** The newest points of one series, oldest first, at most `capacity`. */
export class Recent {
  readonly #times: Float64Array;
  readonly #values: Float64Array;
  #start = 0;
  #length = 0;

  constructor(
    readonly capacity: number,
    /** Points closer than this replace each other, so that the memory spans a known time. */
    readonly spacingMs: number,
  ) {
    this.#times = new Float64Array(capacity);
    this.#values = new Float64Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  /** Takes a point; one older than the newest is left out. */
  push(tsMs: number, value: number): void {
    const last = this.#index(this.#length - 1);
    if (this.#length > 0 && tsMs < this.#times[last]!) return;
    const before = this.#length > 1 ? this.#times[this.#index(this.#length - 2)]! : -Infinity;
    if (this.#length > 0 && tsMs - before < this.spacingMs) {
      this.#times[last] = tsMs;
      this.#values[last] = value;
      return;
    }
    if (this.#length === this.capacity) this.#start = (this.#start + 1) % this.capacity;
    else this.#length += 1;
    const at = this.#index(this.#length - 1);
    this.#times[at] = tsMs;
    this.#values[at] = value;
  }

  /** The points in [fromMs, ∞) in ascending time. */
  since(fromMs: number): [tsMs: number, value: number][] {
    const points: [number, number][] = [];
    for (let each = 0; each < this.#length; each += 1) {
      const at = this.#index(each);
      if (this.#times[at]! >= fromMs) points.push([this.#times[at]!, this.#values[at]!]);
    }
    return points;
  }

  #index(offset: number): number {
    return (this.#start + offset + this.capacity) % this.capacity;
  }
}
