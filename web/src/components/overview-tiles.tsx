// What is going on, in eight numbers.
import type { ReactElement } from 'react';
import {
  formatByteRate,
  formatBytes,
  formatCount,
  formatDuration,
  formatMicroseconds,
  formatPercent,
  formatRate,
  formatShare,
} from '../domain/format';
import { eventsLost, ledgerSummary, packetsNotCounted, type Status } from '../domain/status';
import { useChanges } from '../store/notifier';
import { useStores } from '../store/stores';
import styles from './overview-tiles.module.css';
import { Tile } from './tile';

export function OverviewTiles(): ReactElement {
  const { overview, status: store } = useStores();
  useChanges(overview);
  useChanges(store);
  const { status } = store;
  const { sums, rates } = overview;
  const [sum, rate] = [sums.at(-1), rates.at(-1)];
  return (
    <dl className={styles.tiles} data-testid="tiles">
      <Tile
        name="Throughput"
        value={formatByteRate(sum?.payloadBytesPerSecond)}
        detail={`${formatRate(sum?.packetsPerSecond)} packets`}
        title="TCP payload of all open connections, both directions"
        testId="payload-rate"
        history={sums.map(({ payloadBytesPerSecond }) => payloadBytesPerSecond)}
      />
      <Tile
        name="Open connections"
        value={formatCount(sum?.connections)}
        detail={status === undefined ? '' : `${formatCount(status.connections.listed)} listed`}
        title={status && countsTitle(status)}
        testId="open-count"
        history={sums.map(({ connections }) => connections)}
      />
      <Tile
        name="Opened"
        value={formatRate(rate?.openedPerSecond)}
        detail={`${formatRate(rate?.closedPerSecond)} closed`}
        history={rates.map(({ openedPerSecond }) => openedPerSecond)}
      />
      <Tile
        name="Failed"
        value={formatRate(rate?.failedPerSecond)}
        detail={status === undefined ? '' : failedWords(status)}
        title="Failed: refused or not answered. Reset: ended by a RST after it was open."
        tone={(rate?.failedPerSecond ?? 0) > 0 ? 'warn' : 'plain'}
        history={rates.map(({ failedPerSecond }) => failedPerSecond)}
      />
      <Tile
        name="Sent again"
        value={formatShare(rate?.retransmissionShare)}
        detail={`${formatRate(rate?.retransmissionsPerSecond)} retransmissions`}
        title="Share of all packets of the last second that carried what was sent before"
        tone={(rate?.retransmissionShare ?? 0) >= 0.01 ? 'warn' : 'plain'}
        testId="retransmission-share"
        history={rates.map(({ retransmissionShare }) => retransmissionShare)}
      />
      <Tile
        name="Median RTT"
        value={formatMicroseconds(sum?.rtt?.p50Us)}
        detail={`99 % within ${formatMicroseconds(sum?.rtt?.p99Us)}`}
        title="Smoothed round-trip times of the open connections"
        history={sums.map(({ rtt }) => rtt?.p50Us)}
      />
      {status !== undefined && <LedgerTile status={status} />}
      {status !== undefined && (
        <Tile
          name="Cost of the daemon"
          value={`${formatPercent(status.resources.cpuPercent)} CPU`}
          detail={memoryWords(status)}
          title={costTitle(status)}
          testId="daemon-cost"
        />
      )}
    </dl>
  );
}

function LedgerTile({ status: { ledger } }: { status: Status }): ReactElement {
  const tone = packetsNotCounted(ledger) > 0 ? 'bad' : eventsLost(ledger) > 0 ? 'warn' : 'good';
  return (
    <Tile
      name="Ledger"
      value={ledgerSummary(ledger)}
      detail={`${formatCount(ledger.packetsSeen)} packets`}
      title="Every packet that reached a hook is counted, or it is said why not"
      tone={tone}
    />
  );
}

function failedWords({ connections }: Status): string {
  return `${formatCount(connections.failedTotal)} in all, ${formatCount(connections.resetTotal)} reset`;
}

function countsTitle({ connections }: Status): string {
  return `${formatCount(connections.tracked)} of ${formatCount(connections.capacity)} places of the kernel's table are used. Since the start ${formatCount(connections.openedTotal)} opened, ${formatCount(connections.closedTotal)} closed. Ended connections stay listed for a while.`;
}

function memoryWords({ resources: { residentBytes, kernelMapBytes } }: Status): string {
  return `${formatBytes(residentBytes + (kernelMapBytes ?? 0))} of memory`;
}

function costTitle({ resources, streams }: Status): string {
  const memory = `${formatBytes(resources.residentBytes)} resident, ${formatBytes(resources.kernelMapBytes)} in the kernel's maps`;
  return `Per cent of one core, and memory: ${memory}. CPU time since the start: ${formatDuration(resources.cpuTimeMs)}. Streams open: ${streams}.`;
}
