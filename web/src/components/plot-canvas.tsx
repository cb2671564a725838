// The drawing of a chart: uPlot on a canvas, in the colours of the theme. Loaded on its own.
import { useEffect, useEffectEvent, useRef, type ReactElement } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { formatClock } from '../domain/format';
import type { PlotProps, Series } from './plot';
import { colour, useThemeVersion } from './theme-colours';
import { TimeCursor } from './time-cursor';
import { useElementWidth } from './use-element-size';

const AXIS_FONT = '10.5px "Inter Variable", system-ui, sans-serif';
const AXIS_WIDTH_PX = 62;
const TIME_AXIS_HEIGHT_PX = 20;
/** Width of a label of the time axis. */
const TIME_LABEL_PX = 50;
/** How much more than the highest value the chart's height stands for. */
const HEADROOM = 1.15;

type CanvasProps = PlotProps & {
  /** What is at the pointer, or the newest. */
  readonly words: string;
  readonly onPoint: (index: number | undefined) => void;
};

export default function PlotCanvas(props: CanvasProps): ReactElement {
  const { series, timesMs, endMs, spanMs, heightPx } = props;
  const frame = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot>(undefined);
  const widthPx = useElementWidth(frame);
  const theme = useThemeVersion();
  const point = useEffectEvent((index: number | null | undefined) => {
    props.onPoint(index ?? undefined);
  });
  const format = useEffectEvent(props.format);
  const scaleTop = useEffectEvent((highest: number | null) =>
    Math.max(props.leastTop, (highest ?? 0) * HEADROOM),
  );
  const shape = series.map(({ tone, filled, dashed }) => `${tone} ${filled} ${dashed}`).join();
  const shapes = useEffectEvent(() => series);

  useEffect(() => {
    if (frame.current === null) {
      return;
    }
    const made = new uPlot(
      {
        width: frame.current.clientWidth,
        height: heightPx,
        legend: { show: false },
        padding: [6, 4, 0, 0],
        cursor: { y: false, drag: { x: false, y: false, setScale: false }, points: { size: 6 } },
        scales: {
          x: { time: false },
          y: { range: (_, _least, highest) => [0, scaleTop(highest)] },
        },
        axes: [
          {
            ...quietAxis(),
            size: TIME_AXIS_HEIGHT_PX,
            space: 80,
            values: (chart, splits) =>
              splits.map((seconds) => (fits(chart, seconds) ? formatClock(seconds * 1000).slice(0, 8) : '')),
            incrs: [5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600],
          },
          {
            ...quietAxis(),
            size: AXIS_WIDTH_PX,
            space: 26,
            values: (_, splits) => splits.map((value) => withoutZeros(format(value))),
          },
        ],
        series: [{}, ...shapes().map(drawn)],
        hooks: {
          setCursor: [
            ({ cursor }) => {
              point(cursor.idx);
            },
          ],
        },
      },
      [[], ...shapes().map(() => [])],
      frame.current,
    );
    chart.current = made;
    return () => {
      chart.current = undefined;
      made.destroy();
    };
  }, [heightPx, shape]);

  useEffect(() => {
    chart.current?.setSize({ width: widthPx, height: heightPx });
  }, [widthPx, heightPx]);

  useEffect(() => {
    const seconds = timesMs.map((timeMs) => timeMs / 1000);
    const values = series.map((one) => one.values.map((value) => value ?? null));
    chart.current?.batch(() => {
      chart.current?.setData([seconds, ...values], false);
      chart.current?.setScale('x', { min: (endMs - spanMs) / 1000, max: endMs / 1000 });
    });
  }, [timesMs, series, endMs, spanMs, shape]);

  useEffect(() => {
    chart.current?.redraw(false, true);
  }, [theme]);

  return (
    <TimeCursor
      label={props.title}
      words={props.words}
      count={timesMs.length}
      onMove={(index) => {
        const seconds = (timesMs[index ?? -1] ?? NaN) / 1000;
        const leftPx = index === undefined ? -1 : (chart.current?.valToPos(seconds, 'x') ?? -1);
        chart.current?.setCursor({ left: leftPx, top: leftPx < 0 ? -1 : 0 });
      }}
    >
      <div ref={frame} aria-hidden="true" />
    </TimeCursor>
  );
}

/** Whether a label of the time axis has room between the edges. */
function fits(chart: uPlot, seconds: number): boolean {
  const placePx = chart.valToPos(seconds, 'x');
  return placePx > TIME_LABEL_PX / 2 && placePx < chart.over.clientWidth - TIME_LABEL_PX / 2;
}

/** "5.00 MB/s" → "5 MB/s". */
function withoutZeros(text: string): string {
  return text.replace(/(\.\d*?)0+(?=\D|$)/, '$1').replace(/\.(?=\D|$)/, '');
}

function quietAxis(): uPlot.Axis {
  return {
    font: AXIS_FONT,
    stroke: () => colour('text-muted'),
    gap: 4,
    grid: { stroke: () => colour('line'), width: 1 },
    ticks: { show: false },
  };
}

function drawn({ tone, filled, dashed }: Series): uPlot.Series {
  return {
    stroke: () => colour(tone),
    width: 1.5,
    ...(dashed === true ? { dash: [3, 3] } : {}),
    ...(filled === true ? { fill: () => withAlpha(colour(tone), 0.14) } : {}),
    points: { show: false },
  };
}

function withAlpha(rgb: string, alpha: number): string {
  return rgb.replace(/^rgb\((.*)\)$/, `rgba($1, ${alpha})`);
}
