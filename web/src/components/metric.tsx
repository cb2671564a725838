// One number of the header: a small label above, the value below, in a width that does not move,
// and room for a small picture beside them.
import type { ReactElement, ReactNode } from 'react';
import styles from './metric.module.css';

interface MetricProps {
  readonly label: string;
  readonly value: string;
  readonly title?: string | undefined;
  /** Room for this many characters. */
  readonly width: number;
  readonly testId?: string;
  readonly children?: ReactNode;
}

export function Metric({ label, value, title, width, testId, children }: MetricProps): ReactElement {
  return (
    <div className={styles.metric} title={title}>
      <dt className={styles.label}>{label}</dt>
      <dd className={styles.value} data-testid={testId} style={{ minWidth: `${width}ch` }}>
        {value}
      </dd>
      {children !== undefined && <dd className={styles.picture}>{children}</dd>}
    </div>
  );
}
