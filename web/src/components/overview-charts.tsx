// How the host's numbers moved over the last minutes: throughput, packets, connections that come and go,
// packets that were sent again, and round-trip times.
import type { ReactElement } from 'react';
import { formatByteRate, formatRate, formatShare } from '../domain/format';
import { useChanges } from '../store/notifier';
import type { Span } from '../store/settings';
import { useStores } from '../store/stores';
import styles from './overview-charts.module.css';
import { Plot } from './plot';
import { RttHeatMap } from './rtt-heat-map';
import { SegmentedChoice } from './segmented-choice';
import { useWindowHeight } from './use-element-size';

/** What header, numbers and headings of the charts take of the window. */
const AROUND_CHARTS_PX = 300;
const CHART_HEIGHT_PX = { least: 120, most: 380 };
/** The heat map is this much higher than a chart. */
const HEAT_MAP_FACTOR = 1.3;
const LEAST_SPAN_MS = 60_000;
const SPANS: readonly Span[] = [2, 5, 10];

export function OverviewCharts(): ReactElement {
  const { overview, settings } = useStores();
  useChanges(overview);
  useChanges(settings);
  const { sums, rates } = overview;
  const { spanMinutes } = settings.settings;
  const sumTimes = sums.map(({ atMs }) => atMs);
  const rateTimes = rates.map(({ atMs }) => atMs);
  const endMs = Math.max(sumTimes.at(-1) ?? 0, rateTimes.at(-1) ?? 0);
  // A page that was just opened has little to show, and shows it large.
  const beginMs = Math.min(sumTimes[0] ?? endMs, rateTimes[0] ?? endMs);
  const spanMs = Math.min(spanMinutes * 60_000, Math.max(LEAST_SPAN_MS, endMs - beginMs));
  // Two rows of charts and the heat map fill the window where it is high enough.
  const roomPx = (useWindowHeight() - AROUND_CHARTS_PX) / (2 + HEAT_MAP_FACTOR);
  const heightPx = Math.round(Math.max(CHART_HEIGHT_PX.least, Math.min(CHART_HEIGHT_PX.most, roomPx)));
  const shared = { endMs, spanMs, heightPx };
  return (
    <section className={styles.charts} aria-label="The last minutes">
      <div className={styles.card}>
        <Plot
          {...shared}
          title="Throughput"
          testId="plot-throughput"
          timesMs={sumTimes}
          format={formatByteRate}
          leastTop={1000}
          series={[
            {
              name: 'payload',
              tone: 'sent',
              filled: true,
              values: sums.map(({ payloadBytesPerSecond }) => payloadBytesPerSecond),
            },
          ]}
        >
          <SegmentedChoice
            label="Time shown, as far as the page was open"
            choices={SPANS.map((minutes) => ({ value: minutes, label: `${minutes} min` }))}
            chosen={spanMinutes}
            onChoose={(minutes) => {
              settings.change({ spanMinutes: minutes });
            }}
          />
        </Plot>
      </div>
      <div className={styles.card}>
        <Plot
          {...shared}
          title="Packets"
          testId="plot-packets"
          timesMs={sumTimes}
          format={formatRate}
          leastTop={10}
          series={[
            {
              name: 'on the wire',
              tone: 'received',
              filled: true,
              values: sums.map(({ packetsPerSecond }) => packetsPerSecond),
            },
          ]}
        />
      </div>
      <div className={styles.card}>
        <Plot
          {...shared}
          title="Connections"
          testId="plot-connections"
          timesMs={rateTimes}
          format={formatRate}
          leastTop={2}
          series={[
            { name: 'opened', tone: 'good', values: rates.map(({ openedPerSecond }) => openedPerSecond) },
            {
              name: 'closed',
              tone: 'still',
              dashed: true,
              values: rates.map(({ closedPerSecond }) => closedPerSecond),
            },
            { name: 'failed', tone: 'bad', values: rates.map(({ failedPerSecond }) => failedPerSecond) },
          ]}
        />
      </div>
      <div className={styles.card}>
        <Plot
          {...shared}
          title="Sent again"
          testId="plot-again"
          timesMs={rateTimes}
          format={formatShare}
          leastTop={0.005}
          series={[
            {
              name: 'of all packets',
              tone: 'warn',
              filled: true,
              values: rates.map(({ retransmissionShare }) => retransmissionShare),
            },
          ]}
        />
      </div>
      <div className={styles.wide}>
        <RttHeatMap
          sums={sums}
          endMs={endMs}
          spanMs={spanMs}
          heightPx={Math.round(heightPx * HEAT_MAP_FACTOR)}
        />
      </div>
    </section>
  );
}
