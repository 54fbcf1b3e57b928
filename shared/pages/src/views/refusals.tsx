// What did not become a reading, by reason: refused by the edge, or by the broker before it.

import type { EdgeState } from '../api/shapes';
import { numberText } from '../domain/quantities';
import { BROKER_REASONS, EDGE_REASONS } from '../domain/refusals';
import type { CountByReason } from '../domain/refusals';

export function Refusals({ edge }: { edge: EdgeState }) {
  return (
    <div class="refusals">
      <Table
        caption={`Messages kept in the quarantine of ${edge.edgeId}, by reason`}
        counts={edge.quarantined}
        words={EDGE_REASONS}
        hint={
          <>
            Read them at the edge with <code>headframe-edge quarantine list</code>.
          </>
        }
      />
      <Table
        caption={`Refused by the broker before they reached ${edge.edgeId}`}
        counts={edge.brokerRefused}
        words={BROKER_REASONS}
        hint="The broker keeps none of them; its log may tell more."
      />
    </div>
  );
}

function Table(props: {
  caption: string;
  counts: CountByReason;
  words: Record<string, string>;
  hint: preact.ComponentChildren;
}) {
  const sorted = props.counts.filter(([, count]) => count > 0).sort((a, b) => b[1] - a[1]);
  if (sorted.length === 0) return null;
  return (
    <section>
      <table>
        <caption>{props.caption}</caption>
        <tbody>
          {sorted.map(([reason, count]) => (
            <tr key={reason}>
              <td class="number">{numberText(count)}</td>
              <th scope="row">{reason}</th>
              <td class="muted">{props.words[reason] ?? ''}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="muted">{props.hint}</p>
    </section>
  );
}
