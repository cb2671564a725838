// How far away the open connections were over time: a column per second, a row per range of round-trip
// times on a logarithmic scale, darker where more connections are. The pointer, or arrow keys, tell a cell's numbers.
import { useEffect, useRef, useState, type PointerEvent, type ReactElement } from 'react';
import { formatClock, formatMicroseconds, formatPlural } from '../domain/format';
import { heat, heatMapOf, type HeatMap } from '../domain/heat-map';
import type { Stats } from '../domain/stats';
import styles from './rtt-heat-map.module.css';
import { colour, useThemeVersion } from './theme-colours';
import { TimeCursor } from './time-cursor';
import { useElementWidth } from './use-element-size';

const AXIS_WIDTH_PX = 62;
const TIME_AXIS_HEIGHT_PX = 20;
/** Times between labels that are read at a glance. */
const LABEL_STEPS_MS = [10_000, 15_000, 30_000, 60_000, 120_000, 300_000];
const AXIS_FONT = '10.5px "Inter Variable", system-ui, sans-serif';

interface RttHeatMapProps {
  readonly sums: readonly Stats[];
  readonly endMs: number;
  readonly spanMs: number;
  readonly heightPx: number;
}

interface Cell {
  readonly atMs: number;
  readonly fromUs: number;
  readonly belowUs: number;
  readonly connections: number;
}

export function RttHeatMap({ sums, endMs, spanMs, heightPx }: RttHeatMapProps): ReactElement {
  const canvas = useRef<HTMLCanvasElement>(null);
  const frame = useRef<HTMLDivElement>(null);
  const widthPx = useElementWidth(frame);
  const theme = useThemeVersion();
  const [pointed, setPointed] = useState<{ x: number; y: number }>();
  const seen = sums.filter(({ atMs }) => atMs > endMs - spanMs);
  const map = heatMapOf(seen);
  const rtt = sums.at(-1)?.rtt;
  const plotWidthPx = widthPx - AXIS_WIDTH_PX - 4;
  const plotHeightPx = heightPx - TIME_AXIS_HEIGHT_PX;
  const rows = map.boundsUs.length;
  const rowHeightPx = plotHeightPx / rows;
  const cell =
    pointed &&
    cellAt(map, { ...pointed, x: pointed.x - AXIS_WIDTH_PX }, { endMs, spanMs, plotWidthPx, plotHeightPx });

  useEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (context !== null && context !== undefined && widthPx > 0) {
      draw(context, map, { widthPx, heightPx, plotWidthPx, plotHeightPx, endMs, spanMs });
    }
  }, [map, widthPx, heightPx, plotWidthPx, plotHeightPx, endMs, spanMs, theme]);

  /** To where most connections are at that time. */
  const pointAt = (index: number | undefined): void => {
    const column = index === undefined ? undefined : map.columns[index];
    if (column === undefined) {
      setPointed(undefined);
      return;
    }
    const row = column.counts.indexOf(Math.max(...column.counts));
    const share = (column.atMs - endMs + spanMs) / spanMs;
    // A little before the column's end, which is the next one's beginning.
    setPointed({ x: AXIS_WIDTH_PX + share * plotWidthPx - 0.25, y: (rows - row - 0.5) * rowHeightPx });
  };
  const rise = (by: number): void => {
    setPointed((at) => {
      const y = (at?.y ?? 0) - by * rowHeightPx;
      return at === undefined || y < 0 || y > plotHeightPx ? at : { ...at, y };
    });
  };
  const point = (event: PointerEvent<HTMLDivElement>): void => {
    const box = event.currentTarget.getBoundingClientRect();
    setPointed({ x: event.clientX - box.left, y: event.clientY - box.top });
  };
  return (
    <figure className={styles.map} data-testid="rtt-heat-map">
      <figcaption className={styles.legend}>
        <span className={styles.title}>Round-trip times</span>
        {rtt === undefined ? (
          <span>no open connection has one yet</span>
        ) : (
          <>
            <span>
              median <strong>{formatMicroseconds(rtt.p50Us)}</strong>
            </span>
            <span>
              90 % <strong>{formatMicroseconds(rtt.p90Us)}</strong>
            </span>
            <span>
              99 % <strong>{formatMicroseconds(rtt.p99Us)}</strong>
            </span>
            <span>
              largest <strong>{formatMicroseconds(rtt.maxUs)}</strong>
            </span>
          </>
        )}
        <span className={styles.cell} data-testid="rtt-cell">
          {cell && cellWords(cell)}
        </span>
      </figcaption>
      <TimeCursor
        label={`Distribution of round-trip times over the last ${Math.round(spanMs / 60_000)} minutes`}
        words={cell === undefined ? '' : cellWords(cell)}
        count={map.columns.length}
        onMove={pointAt}
        onRise={rise}
      >
        <div
          ref={frame}
          className={styles.frame}
          style={{ height: `${heightPx}px` }}
          onPointerMove={point}
          onPointerLeave={() => {
            setPointed(undefined);
          }}
        >
          <canvas ref={canvas} aria-hidden="true" />
        </div>
      </TimeCursor>
    </figure>
  );
}

function cellWords({ atMs, fromUs, belowUs, connections }: Cell): string {
  const time = formatClock(atMs).slice(0, 8);
  return `${time}: ${formatPlural(connections, 'connection')} from ${formatMicroseconds(fromUs)} to ${formatMicroseconds(belowUs)}`;
}

interface Frame {
  readonly endMs: number;
  readonly spanMs: number;
  readonly plotWidthPx: number;
  readonly plotHeightPx: number;
}

function cellAt(map: HeatMap, { x, y }: { x: number; y: number }, frame: Frame): Cell | undefined {
  const { endMs, spanMs, plotWidthPx, plotHeightPx } = frame;
  const timeMs = endMs - spanMs + (x / plotWidthPx) * spanMs;
  const row = map.boundsUs.length - 1 - Math.floor((y / plotHeightPx) * map.boundsUs.length);
  const column = map.columns.find(({ atMs }) => atMs >= timeMs);
  const belowUs = map.boundsUs[row];
  if (column === undefined || belowUs === undefined || column.atMs - timeMs > spanMs / 20) {
    return undefined;
  }
  return { atMs: column.atMs, fromUs: belowUs / 2, belowUs, connections: column.counts[row] ?? 0 };
}

function draw(
  context: CanvasRenderingContext2D,
  map: HeatMap,
  size: Frame & { widthPx: number; heightPx: number },
): void {
  const { widthPx, heightPx, plotWidthPx, plotHeightPx, endMs, spanMs } = size;
  const density = window.devicePixelRatio;
  const { canvas } = context;
  canvas.width = Math.round(widthPx * density);
  canvas.height = Math.round(heightPx * density);
  canvas.style.width = `${widthPx}px`;
  canvas.style.height = `${heightPx}px`;
  context.scale(density, density);
  context.clearRect(0, 0, widthPx, heightPx);
  const rows = map.boundsUs.length;
  const rowHeight = plotHeightPx / rows;
  const toX = (timeMs: number): number => AXIS_WIDTH_PX + ((timeMs - endMs + spanMs) / spanMs) * plotWidthPx;
  context.font = AXIS_FONT;
  context.textBaseline = 'middle';
  context.textAlign = 'right';
  context.strokeStyle = colour('line');
  context.lineWidth = 1;
  const everyRow = Math.ceil(rows / 7);
  map.boundsUs.forEach((bound, row) => {
    const y = Math.round(plotHeightPx - row * rowHeight) + 0.5;
    if (row % everyRow === 0) {
      context.beginPath();
      context.moveTo(AXIS_WIDTH_PX, y);
      context.lineTo(AXIS_WIDTH_PX + plotWidthPx, y);
      context.stroke();
      context.fillStyle = colour('text-muted');
      context.fillText(formatMicroseconds(bound / 2), AXIS_WIDTH_PX - 6, Math.min(y, plotHeightPx - 5));
    }
  });
  context.fillStyle = colour('round-trip');
  map.columns.forEach(({ atMs, counts }, index) => {
    const before = map.columns[index - 1]?.atMs ?? atMs - 1000;
    // A gap in the data stays one.
    const from = Math.round(Math.max(AXIS_WIDTH_PX, toX(Math.max(before, atMs - 2500))));
    const width = Math.max(1, Math.round(toX(atMs)) - from);
    counts.forEach((count, row) => {
      if (count > 0) {
        context.globalAlpha = heat(count, map.highest);
        const top = Math.round(plotHeightPx - (row + 1) * rowHeight);
        const bottom = Math.round(plotHeightPx - row * rowHeight);
        context.fillRect(from, top + 1, width, bottom - top - 1);
      }
    });
  });
  context.globalAlpha = 1;
  context.fillStyle = colour('text-muted');
  context.textAlign = 'center';
  context.textBaseline = 'alphabetic';
  const labels = Math.max(2, Math.floor(plotWidthPx / 110));
  const stepMs = LABEL_STEPS_MS.find((step) => spanMs / step <= labels) ?? spanMs;
  for (let timeMs = Math.ceil((endMs - spanMs) / stepMs) * stepMs; timeMs < endMs; timeMs += stepMs) {
    const x = toX(timeMs);
    if (x > AXIS_WIDTH_PX + 24 && x < widthPx - 28) {
      context.fillText(formatClock(timeMs).slice(0, 8), x, heightPx - 5);
    }
  }
}
