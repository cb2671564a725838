// One number of the overview, large, with its name above, what explains it below, and how it moved lately.
import type { ReactElement, ReactNode } from 'react';
import { Sparkline } from './sparkline';
import styles from './tile.module.css';

interface TileProps {
  readonly name: string;
  readonly value: ReactNode;
  readonly detail: ReactNode;
  readonly title?: string | undefined;
  readonly tone?: 'plain' | 'good' | 'warn' | 'bad';
  readonly testId?: string;
  /** Oldest first; undefined where nothing was measured. */
  readonly history?: readonly (number | undefined)[];
}

export function Tile({
  name,
  value,
  detail,
  title,
  tone = 'plain',
  testId,
  history,
}: TileProps): ReactElement {
  return (
    <div className={styles.tile} data-tone={tone} title={title}>
      <dt className={styles.name}>{name}</dt>
      <dd className={styles.value} data-testid={testId}>
        {value}
      </dd>
      <dd className={styles.detail}>{detail}</dd>
      {history !== undefined && (
        <dd className={styles.picture} aria-hidden="true">
          <Sparkline values={history} />
        </dd>
      )}
    </div>
  );
}
