// How a connection's numbers went: throughput, round-trip times on the wire and as the kernel has them, what
// limits its sender, and what was sent again.
import type { ReactElement } from 'react';
import type { Connection } from '../domain/connection';
import { formatByteRate, formatBytes, formatMicroseconds, formatRate } from '../domain/format';
import { retransmissionRates, windowBytes, type Point } from '../domain/history';
import { useChanges } from '../store/notifier';
import { useStores } from '../store/stores';
import { Plot, type Series } from './plot';
import { useDaemonNow } from './use-daemon-now';

const SPAN_MS = { least: 30_000, most: 600_000 };

interface ConnectionChartsProps {
  readonly connection: Connection;
  readonly heightPx: number;
  /** Only throughput and round-trip times. */
  readonly brief?: boolean;
}

export function ConnectionCharts({ connection, heightPx, brief }: ConnectionChartsProps): ReactElement {
  const { selection } = useStores();
  useChanges(selection);
  const { points } = selection;
  const timesMs = points.map(({ atMs }) => atMs);
  const nowMs = useDaemonNow();
  const endMs = Math.max(timesMs.at(-1) ?? 0, Math.min(nowMs, connection.closedAtMs ?? nowMs));
  const spanMs = Math.min(SPAN_MS.most, Math.max(SPAN_MS.least, endMs - (timesMs[0] ?? endMs)));
  const shared = { timesMs, endMs, spanMs, heightPx };
  return (
    <>
      <Plot
        {...shared}
        title="Throughput"
        testId="plot-connection-throughput"
        format={formatByteRate}
        leastTop={1000}
        series={[
          { name: 'sent', tone: 'sent', values: points.map(({ sent }) => sent.payloadBytesPerSecond) },
          {
            name: 'received',
            tone: 'received',
            values: points.map(({ received }) => received.payloadBytesPerSecond),
          },
        ]}
      />
      <Plot
        {...shared}
        title="Round trip"
        testId="plot-connection-rtt"
        format={formatMicroseconds}
        leastTop={100}
        series={withoutEmpty([
          { name: 'to destination', tone: 'round-trip', values: points.map(({ sent }) => sent.srttUs) },
          { name: 'to source', tone: 'received', values: points.map(({ received }) => received.srttUs) },
          {
            name: 'kernel',
            tone: 'busy',
            dashed: true,
            values: points.map(({ sent, received }) => sent.socketSrttUs ?? received.socketSrttUs),
          },
        ])}
      />
      {brief !== true && (
        <>
          <Plot
            {...shared}
            title="Sender"
            testId="plot-connection-window"
            format={formatBytes}
            leastTop={10_000}
            series={senderSeries(points, connection)}
          />
          <Plot
            {...shared}
            title="Sent again"
            testId="plot-connection-again"
            format={formatRate}
            leastTop={2}
            series={[
              { name: 'sent', tone: 'warn', values: retransmissionRates(points, ({ sent }) => sent) },
              {
                name: 'received',
                tone: 'bad',
                dashed: true,
                values: retransmissionRates(points, ({ received }) => received),
              },
            ]}
          />
        </>
      )}
    </>
  );
}

/** What the sender may have in flight, and what it has: of the end that sent more. */
function senderSeries(points: readonly Point[], connection: Connection): readonly Series[] {
  const isSource = connection.sent.payloadBytes >= connection.received.payloadBytes;
  const half = isSource ? connection.sent : connection.received;
  const of = points.map(({ sent, received }) => (isSource ? sent : received));
  return withoutEmpty([
    { name: 'in flight', tone: 'sent', filled: true, values: of.map(({ inFlightBytes }) => inFlightBytes) },
    {
      name: 'cwnd',
      tone: 'good',
      values: of.map(({ congestionWindow }) => windowBytes(congestionWindow, half)),
    },
    {
      name: 'ssthresh',
      tone: 'still',
      dashed: true,
      values: of.map(({ slowStartThreshold }) => windowBytes(slowStartThreshold, half)),
    },
  ]);
}

/** Series in which nothing was ever measured take no room in a legend; one stays to say so. */
function withoutEmpty(series: readonly Series[]): readonly Series[] {
  const measured = series.filter(({ values }) => values.some((value) => value !== undefined));
  return measured.length > 0 ? measured : series.slice(0, 1);
}
