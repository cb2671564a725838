// One number of the header: a small label above, the value below, in a width that does not move.
import type { ReactElement } from 'react';
import styles from './metric.module.css';

interface MetricProps {
  readonly label: string;
  readonly value: string;
  readonly title?: string | undefined;
  /** Room for this many characters. */
  readonly width: number;
  readonly testId?: string;
}

export function Metric({ label, value, title, width, testId }: MetricProps): ReactElement {
  return (
    <div className={styles.metric} style={{ minWidth: `${width}ch` }} title={title}>
      <dt className={styles.label}>{label}</dt>
      <dd className={styles.value} data-testid={testId}>
        {value}
      </dd>
    </div>
  );
}
