// Segments, acknowledgements and retransmissions of the end that sends most, as marks in time and sequence
// numbers: of the newest packets, since they are watched, and of what was sent again before, as far as the kernel
// remembers it.
import { useEffect, useRef, type ReactElement } from 'react';
import type { Connection } from '../domain/connection';
import { formatBytes, formatCount, formatEndpoint, formatMicroseconds, formatPlural } from '../domain/format';
import { timeSequenceOf, type TimeSequence } from '../domain/time-sequence';
import { useChanges } from '../store/notifier';
import { useStores } from '../store/stores';
import { colour, useThemeVersion } from './theme-colours';
import styles from './time-sequence-plot.module.css';
import { useElementWidth } from './use-element-size';

const HEIGHT_PX = 240;
const AXIS_WIDTH_PX = 62;
const TIME_AXIS_HEIGHT_PX = 20;
const AXIS_FONT = '10.5px "Inter Variable", system-ui, sans-serif';
const LINES = 4;
/** Where marks stand that are long before the others. */
const EARLIER_WIDTH_PX = 36;

export function TimeSequencePlot({ connection }: { connection: Connection }): ReactElement {
  const { packets, selection } = useStores();
  useChanges(packets);
  useChanges(selection);
  const canvas = useRef<HTMLCanvasElement>(null);
  const frame = useRef<HTMLDivElement>(null);
  const widthPx = useElementWidth(frame);
  const theme = useThemeVersion();
  const fromSource = connection.sent.payloadBytes >= connection.received.payloadBytes;
  const sender = fromSource ? connection.source : connection.destination;
  const half = fromSource ? connection.sent : connection.received;
  const { ring } = packets;
  const marks = timeSequenceOf(
    ring.map(({ packet }) => packet),
    sender,
    selection.packets.filter((packet) => packet.fromSource === fromSource),
  );
  useEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (context !== null && context !== undefined && marks !== undefined && widthPx > 0) {
      draw(context, marks, widthPx);
    }
  }, [marks, widthPx, theme]);
  const again = [...(marks?.earlier ?? []), ...(marks?.segments ?? [])].reduce(
    (sum, segment) => sum + (segment.again ? segment.wirePackets : 0),
    0,
  );
  return (
    <figure className={styles.plot} data-testid="time-sequence" data-again={again}>
      <figcaption className={styles.legend}>
        <span className={styles.title}>Time and sequence</span>
        <span>of what {formatEndpoint(sender)} sends</span>
        <span className={styles.segments}>{formatPlural(marks?.segments.length ?? 0, 'segment')}</span>
        <span className={styles.acks}>{formatPlural(marks?.acks.length ?? 0, 'acknowledgement')}</span>
        <span
          className={styles.again}
          title="Of what was sent again, those are shown that passed while the packets were watched, and those that the kernel remembers"
        >
          {formatCount(again)} of {formatCount(half.retransmissions)} sent again
        </span>
        {marks !== undefined && marks.earlier.length > 0 && (
          <span title="At the left edge, not in the scale of time">
            {marks.earlier.length} of them earlier
          </span>
        )}
      </figcaption>
      <div ref={frame} className={styles.frame} style={{ height: `${HEIGHT_PX}px` }}>
        {marks === undefined ? (
          <p className={styles.empty}>No segment passed since its packets are watched.</p>
        ) : (
          <canvas ref={canvas} role="img" aria-label="Segments by time and sequence number" />
        )}
      </div>
    </figure>
  );
}

function draw(context: CanvasRenderingContext2D, marks: TimeSequence, widthPx: number): void {
  const density = window.devicePixelRatio;
  const { canvas } = context;
  canvas.width = Math.round(widthPx * density);
  canvas.height = Math.round(HEIGHT_PX * density);
  canvas.style.width = `${widthPx}px`;
  canvas.style.height = `${HEIGHT_PX}px`;
  context.scale(density, density);
  context.clearRect(0, 0, widthPx, HEIGHT_PX);
  const plotHeightPx = HEIGHT_PX - TIME_AXIS_HEIGHT_PX - 4;
  const leftPx = AXIS_WIDTH_PX + (marks.earlier.length > 0 ? EARLIER_WIDTH_PX : 0);
  const plotWidthPx = widthPx - leftPx - 8;
  const spanMs = Math.max(1, marks.toMs - marks.fromMs);
  const toX = (atMs: number): number => leftPx + ((atMs - marks.fromMs) / spanMs) * plotWidthPx;
  const toY = (seq: number): number => 4 + plotHeightPx - (seq / Math.max(1, marks.highest)) * plotHeightPx;
  context.font = AXIS_FONT;
  context.lineWidth = 1;
  for (let line = 0; line <= LINES; line += 1) {
    const y = Math.round(toY((marks.highest * line) / LINES)) + 0.5;
    context.strokeStyle = colour('line');
    context.beginPath();
    context.moveTo(AXIS_WIDTH_PX, y);
    context.lineTo(leftPx + plotWidthPx, y);
    context.stroke();
    context.fillStyle = colour('text-muted');
    context.textAlign = 'right';
    context.textBaseline = 'middle';
    context.fillText(formatBytes((marks.highest * line) / LINES), AXIS_WIDTH_PX - 6, y);
    context.textAlign = line === 0 ? 'left' : line === LINES ? 'right' : 'center';
    context.textBaseline = 'alphabetic';
    const x = leftPx + (plotWidthPx * line) / LINES;
    context.fillText(formatMicroseconds(((spanMs * line) / LINES) * 1000), x, HEIGHT_PX - 5);
  }
  context.strokeStyle = colour('received');
  context.lineWidth = 1.2;
  context.beginPath();
  marks.acks.forEach(({ atMs, at }, index) => {
    const [x, y] = [toX(atMs), toY(at)];
    if (index === 0) {
      context.moveTo(x, y);
    } else {
      // What was acknowledged stays so until the next acknowledgement.
      context.lineTo(x, toY(marks.acks[index - 1]?.at ?? at));
      context.lineTo(x, y);
    }
  });
  context.stroke();
  for (const again of [false, true]) {
    context.strokeStyle = colour(again ? 'bad' : 'sent');
    context.lineWidth = again ? 2.5 : 1.5;
    context.beginPath();
    for (const { atMs, from, to } of marks.segments.filter((segment) => segment.again === again)) {
      const [x, bottom] = [toX(atMs), toY(from)];
      context.moveTo(x, bottom);
      context.lineTo(x, Math.min(toY(to), bottom - 2));
    }
    context.stroke();
  }
  drawEarlier(context, marks.earlier.length, 4 + plotHeightPx);
}

/** So many marks side by side, behind a broken line: before what is shown in the scale of time. */
function drawEarlier(context: CanvasRenderingContext2D, count: number, bottom: number): void {
  if (count === 0) {
    return;
  }
  const roomPx = EARLIER_WIDTH_PX - 12;
  context.strokeStyle = colour('bad');
  context.lineWidth = 2;
  context.beginPath();
  for (let index = 0; index < count; index += 1) {
    const x = AXIS_WIDTH_PX + 4 + (roomPx * index) / Math.max(1, count - 1);
    context.moveTo(x, bottom - 10);
    context.lineTo(x, bottom);
  }
  context.stroke();
  context.strokeStyle = colour('line-strong');
  context.lineWidth = 1;
  context.setLineDash([3, 3]);
  context.beginPath();
  context.moveTo(AXIS_WIDTH_PX + EARLIER_WIDTH_PX - 3.5, 4);
  context.lineTo(AXIS_WIDTH_PX + EARLIER_WIDTH_PX - 3.5, bottom);
  context.stroke();
  context.setLineDash([]);
}
