// A line without axes that shows how a number moved lately.
import type { ReactElement } from 'react';
import styles from './sparkline.module.css';

const WIDTH = 96;
const HEIGHT = 28;

interface SparklineProps {
  readonly values: readonly number[];
  /** How many values fill the whole width. */
  readonly capacity: number;
  readonly label: string;
}

export function Sparkline({ values, capacity, label }: SparklineProps): ReactElement {
  const highest = Math.max(1, ...values);
  const step = WIDTH / (capacity - 1);
  const left = WIDTH - (values.length - 1) * step;
  const points = values.map((value, index) => {
    const x = left + index * step;
    const y = HEIGHT - 1.5 - (value / highest) * (HEIGHT - 3);
    return `${x.toFixed(1)},${y.toFixed(1)}`;
  });
  return (
    <svg className={styles.line} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={label}>
      {points.length > 1 && (
        <>
          <polygon points={`${left.toFixed(1)},${HEIGHT} ${points.join(' ')} ${WIDTH},${HEIGHT}`} />
          <polyline points={points.join(' ')} />
        </>
      )}
    </svg>
  );
}
