// What can be known against a sample, in words a control room reads.

export interface Flag {
  name: string;
  /** Fits a badge. */
  label: string;
  meaning: string;
  /** `warning`: the value itself is in doubt. `note`: only its time or its neighbours are. */
  weight: 'warning' | 'note';
}

const FLAGS: Record<string, Omit<Flag, 'name'>> = {
  late: { label: 'late', meaning: 'The device time is far behind the time of arrival.', weight: 'note' },
  future: { label: 'ahead', meaning: 'The device clock runs ahead of the site.', weight: 'note' },
  out_of_range: {
    label: 'out of range',
    meaning: 'No such value is physically possible for this quantity.',
    weight: 'warning',
  },
  gap_before: {
    label: 'gap before',
    meaning: 'Sequence numbers are missing before this sample: something was lost on the way.',
    weight: 'warning',
  },
  repeated_seq: {
    label: 'repeated seq',
    meaning: 'The device used this sequence number before, for another reading.',
    weight: 'warning',
  },
  out_of_order: {
    label: 'out of order',
    meaning: "The device's sequence number ran backwards.",
    weight: 'note',
  },
  edge_time: {
    label: 'edge time',
    meaning: 'The device sent no time; the time of arrival was taken.',
    weight: 'note',
  },
};

/** The names in `late+gap_before` (or a list of names); `good` is no name. */
export function flagNames(quality: unknown): string[] {
  const names = Array.isArray(quality) ? quality.map(String) : String(quality ?? 'good').split('+');
  return names.map((name) => name.trim()).filter((name) => name !== '' && name !== 'good');
}

/** A name that this page does not know yet is shown as it came, and taken seriously. */
export function flagOf(name: string): Flag {
  const known = FLAGS[name];
  if (known !== undefined) return { name, ...known };
  return { name, label: name.replaceAll('_', ' '), meaning: `Quality flag ${name}.`, weight: 'warning' };
}
