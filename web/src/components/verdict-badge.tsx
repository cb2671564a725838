// A connection's verdict as a badge: a sign that tells where the cause lies, and a word that tells what it is. The
// title says it in a sentence, with its numbers.
import { memo, type ReactElement } from 'react';
import { KIND_WORDS, verdictTone, verdictWord, type Verdict, type VerdictKind } from '../domain/verdict';
import { Icon, type IconName } from './icon';
import styles from './verdict-badge.module.css';

const ICONS: Record<VerdictKind, IconName> = {
  unknown: 'idle',
  healthy: 'check',
  idle: 'idle',
  network: 'network',
  peer: 'peer',
  application: 'application',
  handshake: 'handshake',
  backlog: 'queue',
};

export const VerdictBadge = memo(function VerdictBadge({ verdict }: { verdict: Verdict }): ReactElement {
  return (
    <span
      className={styles.badge}
      data-testid="verdict"
      data-tone={verdictTone(verdict)}
      data-kind={verdict.kind}
      title={verdict.cause === 'none' ? verdict.text : `${KIND_WORDS[verdict.kind]}: ${verdict.text}`}
    >
      <Icon name={ICONS[verdict.kind]} />
      {verdictWord(verdict)}
    </span>
  );
});
