// Asks for a token when the daemon wants one, and says when the one that was given is refused.
import { useId, useState, type SubmitEvent, type ReactElement } from 'react';
import { useChanges } from '../store/notifier';
import { useStores } from '../store/stores';
import { Icon } from './icon';
import styles from './token-form.module.css';

export function TokenForm(): ReactElement | null {
  const { link, token } = useStores();
  useChanges(link);
  useChanges(token);
  const [typed, setTyped] = useState('');
  const [malformed, setMalformed] = useState(false);
  const [inputId, wordsId] = [useId(), useId()];
  if (link.state.kind !== 'locked') {
    return null;
  }
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const taken = token.set(typed);
    setMalformed(!taken);
    if (taken) {
      setTyped('');
    }
  };
  const refused = token.current() !== undefined;
  return (
    <form
      className={styles.form}
      aria-label="Access to the daemon"
      data-testid="token-form"
      onSubmit={submit}
    >
      <Icon name="warning" />
      <p id={wordsId} role="alert">
        {words(refused, malformed)}
      </p>
      <label htmlFor={inputId}>Token</label>
      <input
        id={inputId}
        type="password"
        autoComplete="off"
        spellCheck={false}
        required
        autoFocus
        aria-describedby={wordsId}
        aria-invalid={refused || malformed}
        value={typed}
        onChange={(event) => {
          setTyped(event.currentTarget.value);
        }}
      />
      <button type="submit">Use token</button>
      <span className={styles.hint}>
        It is kept until this tab is closed. Who runs the daemon makes one with <code>tcpviewer token</code>.
      </span>
    </form>
  );
}

function words(refused: boolean, malformed: boolean): string {
  if (malformed) {
    return 'No token looks like that: there are no spaces in it.';
  }
  return refused ? 'The daemon refuses this token.' : 'The daemon wants a token.';
}
