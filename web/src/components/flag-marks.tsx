// The control bits of a packet as small marks, in the order in which tcpdump prints them.
import { memo, type ReactElement } from 'react';
import { FLAG_ORDER, type TcpFlag } from '../domain/packet';
import styles from './flag-marks.module.css';

export const FlagMarks = memo(function FlagMarks({ flags }: { flags: readonly TcpFlag[] }): ReactElement {
  const shown = FLAG_ORDER.filter((flag) => flags.includes(flag));
  return (
    <span className={styles.marks} title={shown.join(', ') || 'no flags'}>
      {shown.map((flag) => (
        <span key={flag} className={styles.mark} data-flag={flag}>
          {flag}
        </span>
      ))}
    </span>
  );
});
