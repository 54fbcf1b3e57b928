// Short messages in the corner, read out politely.

import { dismiss, notices } from '../state/notices';
import { Icon } from './marks';

export function Notices() {
  return (
    <div class="notices" role="status" aria-live="polite">
      {notices.value.map((notice) => (
        <p key={notice.id} class={`notice ${notice.weight}`}>
          {notice.text}
          <button class="quiet" aria-label="Dismiss" onClick={() => dismiss(notice.id)}>
            <Icon name="close" />
          </button>
        </p>
      ))}
    </div>
  );
}
