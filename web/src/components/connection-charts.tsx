// How a connection's throughput and round-trip time moved since it is looked at.
import type { ReactElement } from 'react';
import { formatByteRate, formatMicroseconds } from '../domain/format';
import { useChanges } from '../store/notifier';
import { useStores } from '../store/stores';
import { Plot } from './plot';

const SPAN_MS = { least: 60_000, most: 600_000 };

export function ConnectionCharts({ heightPx }: { heightPx: number }): ReactElement {
  const { selection } = useStores();
  useChanges(selection);
  const { samples } = selection;
  const timesMs = samples.map(({ atMs }) => atMs);
  const endMs = timesMs.at(-1) ?? 0;
  const spanMs = Math.min(SPAN_MS.most, Math.max(SPAN_MS.least, endMs - (timesMs[0] ?? 0)));
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
          { name: 'sent', tone: 'sent', values: samples.map((sample) => sample.sentBytesPerSecond) },
          {
            name: 'received',
            tone: 'received',
            values: samples.map((sample) => sample.receivedBytesPerSecond),
          },
        ]}
      />
      <Plot
        {...shared}
        title="Round trip"
        format={formatMicroseconds}
        leastTop={100}
        series={[{ name: 'smoothed', tone: 'round-trip', values: samples.map(({ srttUs }) => srttUs) }]}
      />
    </>
  );
}
