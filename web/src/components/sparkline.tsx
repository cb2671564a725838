// A line without axes that shows how a number moved lately. The newest value is at the right edge.
import type { ReactElement } from 'react';
import styles from './sparkline.module.css';

const WIDTH = 64;
const HEIGHT = 18;
/** How many values fill the whole width. */
const CAPACITY = 60;

interface SparklineProps {
  /** Oldest first; undefined where nothing was measured. */
  readonly values: readonly (number | undefined)[];
}

export function Sparkline({ values }: SparklineProps): ReactElement {
  const shown = values.slice(-CAPACITY);
  const highest = Math.max(Number.MIN_VALUE, ...shown.map((value) => value ?? 0));
  const step = WIDTH / (CAPACITY - 1);
  const left = WIDTH - (shown.length - 1) * step;
  let path = '';
  let drawing = false;
  shown.forEach((value, index) => {
    if (value === undefined) {
      drawing = false;
      return;
    }
    const y = HEIGHT - 1.5 - (value / highest) * (HEIGHT - 3);
    path += `${drawing ? 'L' : 'M'}${(left + index * step).toFixed(1)} ${y.toFixed(1)}`;
    drawing = true;
  });
  return (
    <svg className={styles.line} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} aria-hidden="true">
      <path d={path} />
    </svg>
  );
}
