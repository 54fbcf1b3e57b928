// What is known against a reading or a position, as badges.

import { flagOf } from '../domain/quality';

/** The weightiest flag by name, the others counted: a row has room for one. */
export function Flags({ names }: { names: readonly string[] }) {
  const flags = names
    .map(flagOf)
    .sort((a, b) => Number(b.weight === 'warning') - Number(a.weight === 'warning'));
  const [first, ...others] = flags;
  if (first === undefined) return null;
  return (
    <>
      <span class={`badge ${first.weight}`} title={first.meaning}>
        {first.label}
      </span>
      {others.length > 0 && (
        <span
          class={`badge ${others[0]!.weight}`}
          title={others.map(({ label, meaning }) => `${label}: ${meaning}`).join('\n')}
        >
          <span aria-hidden="true">+{others.length}</span>
          <span class="for-readers">{others.map(({ label }) => label).join(', ')}</span>
        </span>
      )}
    </>
  );
}
