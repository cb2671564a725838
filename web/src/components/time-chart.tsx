// A small chart of one or two numbers over the last minutes, with what they are now, or were under
// the pointer, in its legend.
import { useRef, useState, type PointerEvent, type ReactElement } from 'react';
import { formatClock } from '../domain/format';
import styles from './time-chart.module.css';
import { useElementWidth } from './use-element-size';

const HEIGHT_PX = 72;
const INSET_PX = 3;
/** How much more than the highest value the chart's height stands for. */
const HEADROOM = 1.1;

export interface Series {
  readonly name: string;
  readonly tone: 'sent' | 'received' | 'round-trip';
  /** Oldest first, one per time; undefined where nothing was measured. */
  readonly values: readonly (number | undefined)[];
}

interface TimeChartProps {
  readonly title: string;
  readonly series: readonly Series[];
  readonly timesMs: readonly number[];
  /** How long a time the whole width stands for. */
  readonly spanMs: number;
  readonly format: (value: number | undefined) => string;
}

export function TimeChart({ title, series, timesMs, spanMs, format }: TimeChartProps): ReactElement {
  const frame = useRef<HTMLDivElement>(null);
  const widthPx = useElementWidth(frame);
  const [pointed, setPointed] = useState<number>();
  const endMs = timesMs.at(-1) ?? 0;
  const highest = Math.max(0, ...series.flatMap(({ values }) => values.map((value) => value ?? 0)));
  const top = Math.max(1, highest * HEADROOM);
  const toX = (timeMs: number): number => widthPx - ((endMs - timeMs) / spanMs) * widthPx;
  const toY = (value: number): number => HEIGHT_PX - INSET_PX - (value / top) * (HEIGHT_PX - 2 * INSET_PX);
  const index = pointed === undefined ? timesMs.length - 1 : nearest(timesMs.map(toX), pointed);
  const indexMs = timesMs[index];

  const point = (event: PointerEvent<HTMLDivElement>): void => {
    setPointed(event.clientX - event.currentTarget.getBoundingClientRect().left);
  };
  return (
    <figure className={styles.chart}>
      <figcaption className={styles.legend}>
        <span className={styles.title}>{title}</span>
        {series.map(({ name, tone, values }) => (
          <span key={name} className={styles.entry} data-tone={tone}>
            {name} <strong>{format(values[index])}</strong>
          </span>
        ))}
        <span className={styles.time}>
          {pointed !== undefined && indexMs !== undefined && formatClock(indexMs)}
        </span>
      </figcaption>
      <div
        ref={frame}
        className={styles.frame}
        onPointerMove={point}
        onPointerLeave={() => {
          setPointed(undefined);
        }}
      >
        <span className={styles.highest}>{highest > 0 && `highest ${format(highest)}`}</span>
        <svg width={widthPx} height={HEIGHT_PX} aria-hidden="true">
          {series.map(({ name, tone, values }) => (
            <path key={name} data-tone={tone} d={toPath(values, timesMs, toX, toY)} />
          ))}
          {pointed !== undefined && indexMs !== undefined && (
            <line x1={toX(indexMs)} x2={toX(indexMs)} y1="0" y2={HEIGHT_PX} />
          )}
        </svg>
      </div>
    </figure>
  );
}

/** A line with gaps where nothing was measured. */
function toPath(
  values: readonly (number | undefined)[],
  timesMs: readonly number[],
  toX: (timeMs: number) => number,
  toY: (value: number) => number,
): string {
  let path = '';
  let drawing = false;
  values.forEach((value, index) => {
    const timeMs = timesMs[index];
    if (value === undefined || timeMs === undefined) {
      drawing = false;
      return;
    }
    path += `${drawing ? 'L' : 'M'}${toX(timeMs).toFixed(1)} ${toY(value).toFixed(1)}`;
    drawing = true;
  });
  return path;
}

function nearest(positions: readonly number[], wanted: number): number {
  let best = positions.length - 1;
  positions.forEach((position, index) => {
    if (Math.abs(position - wanted) < Math.abs((positions[best] ?? 0) - wanted)) {
      best = index;
    }
  });
  return best;
}
