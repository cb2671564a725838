// A line in a row of the table that shows how a number moved lately, in the scale of its own highest value. Once per
// second it renders again, and its row does not.
import { memo, type ReactElement } from 'react';
import { useChanges } from '../store/notifier';
import { useStores } from '../store/stores';
import { TRAIL_LENGTH } from '../store/trails';
import styles from './row-trail.module.css';

const WIDTH = 72;
const HEIGHT = 18;

interface RowTrailProps {
  /** The connection's. */
  readonly id: bigint;
  readonly of: 'rate' | 'round-trip';
}

export function RowTrail({ id, of }: RowTrailProps): ReactElement {
  const { trails } = useStores();
  useChanges(trails);
  const { bytesPerSecond, srttUs } = trails.of(id);
  return <Line values={of === 'rate' ? bytesPerSecond : srttUs} of={of} />;
}

interface LineProps {
  /** Oldest first. */
  readonly values: readonly (number | undefined)[];
  readonly of: RowTrailProps['of'];
}

const Line = memo(function Line({ values, of }: LineProps): ReactElement {
  const highest = Math.max(...values.map((value) => value ?? 0));
  if (!(highest > 0)) {
    return <span className={styles.none} aria-hidden="true" />;
  }
  const step = WIDTH / (TRAIL_LENGTH - 1);
  let path = '';
  let drawing = false;
  values.forEach((value, index) => {
    if (value === undefined) {
      drawing = false;
      return;
    }
    const x = WIDTH - (values.length - 1 - index) * step;
    const y = HEIGHT - 2 - (value / highest) * (HEIGHT - 4);
    path += `${drawing ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}`;
    drawing = true;
  });
  return (
    <svg
      className={styles.trail}
      data-of={of}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      <path d={path} vectorEffect="non-scaling-stroke" />
    </svg>
  );
});
