// The help: keys, marks and words of the page, without a network.

import { useEffect, useRef } from 'preact/hooks';
import { shortcutsOn } from '../state/preferences';
import { Icon } from './marks';
import { LOCAL_KEYS, SHORTCUTS, helpOpen } from './shortcuts';

export function HelpDialog() {
  const dialog = useRef<HTMLDialogElement>(null);
  const open = helpOpen.value;
  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  return (
    <dialog ref={dialog} class="help" aria-labelledby="help-title" onClose={() => (helpOpen.value = false)}>
      <header>
        <h2 id="help-title">Keys and marks</h2>
        <button class="quiet" aria-label="Close the help" onClick={() => (helpOpen.value = false)}>
          <Icon name="close" />
        </button>
      </header>
      <div class="columns">
        <section>
          <h3>Everywhere</h3>
          <Keys keys={SHORTCUTS.map(({ key, means }) => [key, means])} />
          <label class="check">
            <input
              type="checkbox"
              checked={shortcutsOn.value === 'on'}
              onChange={(event) => (shortcutsOn.value = event.currentTarget.checked ? 'on' : 'off')}
            />
            Single-key shortcuts
          </label>
        </section>
        {LOCAL_KEYS.map(([part, keys]) => (
          <section key={part}>
            <h3>{part}</h3>
            <Keys keys={keys} />
          </section>
        ))}
        <section>
          <h3>What the page tells</h3>
          <p>
            Colour is kept for what is not normal. A value marked <b class="stale-word">stale</b> has had no
            sample for 30 s, or for three of its usual intervals where it comes rarely; its age keeps counting
            even without a connection. Ages use the server's clock.
          </p>
        </section>
      </div>
    </dialog>
  );
}

function Keys({ keys }: { keys: readonly (readonly [string, string])[] }) {
  return (
    <dl class="keys">
      {keys.map(([key, means]) => (
        <div key={key}>
          <dt>
            <kbd>{key}</kbd>
          </dt>
          <dd>{means}</dd>
        </div>
      ))}
    </dl>
  );
}
