// A chart of numbers over time. Its legend shows the newest numbers, or those under the pointer, which arrow keys move
// as well. The drawing itself is in a part that is loaded when the first chart is shown.
import { lazy, Suspense, useState, type ReactElement, type ReactNode } from 'react';
import { formatClock } from '../domain/format';
import styles from './plot.module.css';
import type { Tone } from './theme-colours';

const PlotCanvas = lazy(() => import('./plot-canvas'));

export interface Series {
  readonly name: string;
  readonly tone: Tone;
  /** Oldest first, one per time; undefined where nothing was measured. */
  readonly values: readonly (number | undefined)[];
  readonly filled?: boolean | undefined;
  readonly dashed?: boolean | undefined;
}

export interface PlotProps {
  readonly title: string;
  readonly series: readonly Series[];
  readonly timesMs: readonly number[];
  /** The newest time of the whole width. */
  readonly endMs: number;
  /** How long a time the whole width stands for. */
  readonly spanMs: number;
  readonly heightPx: number;
  readonly format: (value: number | undefined) => string;
  /** The top of the scale is not below this. */
  readonly leastTop: number;
  readonly testId?: string;
  readonly children?: ReactNode;
}

export function Plot(props: PlotProps): ReactElement {
  const { title, series, timesMs, heightPx, format, testId, children } = props;
  const [pointed, setPointed] = useState<number>();
  const index = pointed !== undefined && pointed < timesMs.length ? pointed : timesMs.length - 1;
  const atMs = timesMs[index];
  const time = atMs === undefined ? '' : formatClock(atMs).slice(0, 8);
  const words = [time, ...series.map(({ name, values }) => `${name} ${format(values[index])}`)].join(', ');
  return (
    <figure className={styles.plot} data-testid={testId} data-index={index}>
      <figcaption className={styles.legend}>
        <span className={styles.title}>{title}</span>
        {series.map(({ name, tone, values, dashed }) => (
          <span key={name} className={styles.entry} style={{ color: `var(--${tone})` }} data-dashed={dashed}>
            {name} <strong data-series={name}>{format(values[index])}</strong>
          </span>
        ))}
        <span className={styles.time}>{pointed === undefined ? children : time}</span>
      </figcaption>
      <div className={styles.frame} style={{ height: `${heightPx}px` }}>
        <Suspense fallback={null}>
          <PlotCanvas {...props} words={words} onPoint={setPointed} />
        </Suspense>
      </div>
    </figure>
  );
}
