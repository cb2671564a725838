// A verdict in words: what is the case and where it lies, the numbers that say so, and since when. Empty until the
// daemon has seen enough.
import type { ReactElement } from 'react';
import { formatDuration } from '../domain/format';
import { KIND_WORDS, verdictTone, type Verdict } from '../domain/verdict';
import { useDaemonNow } from './use-daemon-now';
import { VerdictBadge } from './verdict-badge';
import styles from './verdict-story.module.css';

export function VerdictStory({ verdict }: { verdict: Verdict | undefined }): ReactElement | null {
  const nowMs = useDaemonNow();
  if (verdict === undefined) {
    return null;
  }
  const numbers = verdict.evidence.map(({ text }) => text).join(', ');
  // The numbers stand by themselves.
  const words = numbers === '' ? verdict.text : verdict.text.replace(`: ${numbers}`, '');
  return (
    <section
      className={styles.story}
      data-tone={verdictTone(verdict)}
      data-testid="verdict-story"
      aria-label="Verdict"
    >
      <VerdictBadge verdict={verdict} />
      <p className={styles.words}>
        <strong>{`${words.charAt(0).toUpperCase()}${words.slice(1)}.`}</strong>{' '}
        {verdict.cause !== 'none' && (
          <span className={styles.where}>
            It lies with {KIND_WORDS[verdict.kind]}, for{' '}
            {formatDuration(Math.max(0, nowMs - verdict.sinceMs))} now.
          </span>
        )}
      </p>
      {verdict.evidence.length > 0 && (
        <ul className={styles.evidence} aria-label="Numbers behind it">
          {verdict.evidence.map(({ name, text }) => (
            <li key={name} title={name}>
              {text}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
