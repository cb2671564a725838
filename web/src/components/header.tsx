// The top of the page: which host, whether it is live, how much happens, what was not counted,
// and what the daemon itself costs.
import type { ReactElement } from 'react';
import {
  formatByteRate,
  formatBytes,
  formatCount,
  formatDuration,
  formatPercent,
  formatRate,
} from '../domain/format';
import { isGone } from '../domain/link';
import type { Status } from '../domain/status';
import { useChanges } from '../store/notifier';
import { useStores } from '../store/stores';
import { Degradations } from './degradations';
import { ForgetToken } from './forget-token';
import styles from './header.module.css';
import { KeysHelp } from './keys-help';
import { LedgerPopover } from './ledger';
import { LinkIndicator } from './link-indicator';
import { Metric } from './metric';
import { Sparkline } from './sparkline';
import { ThemeChoice } from './theme-choice';

const SPARK_SECONDS = 120;

export function Header(): ReactElement {
  const { live, status: store } = useStores();
  useChanges(live);
  useChanges(store);
  const { status } = store;
  const stale = isGone(live.linkState);
  return (
    <header className={styles.header}>
      <div className={styles.identity}>
        <img src="/favicon.svg" alt="" width="26" height="26" />
        <div>
          <h1 className={styles.product}>tcpviewer</h1>
          <p className={styles.host} title={status === undefined ? undefined : hostTitle(status)}>
            <strong>{status?.hostName ?? 'this host'}</strong>
            {status !== undefined && status.kernelRelease !== '' && ` · Linux ${status.kernelRelease}`}
            {status !== undefined && status.captureFile !== '' && ` · capture ${status.captureFile}`}
          </p>
        </div>
      </div>
      <LinkIndicator state={live.linkState} delayMs={live.delayMs} />
      <dl className={styles.metrics} data-stale={stale}>
        <Metric
          label="Payload"
          value={formatByteRate(status?.rates.payloadBytesPerSecond)}
          width={9}
          title="TCP payload of all connections, both directions"
          testId="payload-rate"
        >
          <Sparkline
            values={store.payloadBytesPerSecond}
            capacity={SPARK_SECONDS}
            label="Payload rate of the last two minutes"
          />
        </Metric>
        <Metric label="Packets" value={formatRate(status?.rates.packetsPerSecond)} width={6} />
        <Metric label="Opened" value={formatRate(status?.rates.openedPerSecond)} width={5} />
        <Metric
          label="Open"
          value={formatCount(status?.connections.open)}
          width={5}
          testId="open-count"
          title={status === undefined ? undefined : countsTitle(status)}
        />
        <Metric
          label="Listed"
          value={formatCount(status?.connections.listed)}
          width={5}
          title="Open connections, and closed ones for as long as they are kept"
        />
        {status !== undefined && (
          <Metric
            label="Daemon cost"
            value={`${formatPercent(status.resources.cpuPercent)} CPU · ${formatBytes(status.resources.residentBytes)}`}
            width={17}
            title={costTitle(status)}
            testId="daemon-cost"
          />
        )}
      </dl>
      <div className={styles.tools}>
        {status !== undefined && (
          <>
            <Degradations degradations={status.degradations} interfaces={status.interfaces} />
            <LedgerPopover ledger={status.ledger} />
          </>
        )}
        <ForgetToken />
        <ThemeChoice className={styles.themes} />
        <KeysHelp />
      </div>
    </header>
  );
}

function hostTitle(status: Status): string {
  const run = `tcpviewer ${status.version}, up for ${formatDuration(status.nowMs - status.startedAtMs)}.`;
  if (status.captureFile !== '') {
    return `${run} Plays the capture ${status.captureFile}.`;
  }
  const interfaces = status.interfaces
    .map(({ name, hook }) => `${name} (${hook === 'none' ? 'not attached' : hook})`)
    .join(', ');
  return `${run} Interfaces: ${interfaces}.`;
}

function countsTitle({ connections }: Status): string {
  return `${formatCount(connections.tracked)} of ${formatCount(connections.capacity)} places of the kernel's table are used. Since the start ${formatCount(connections.openedTotal)} opened, ${formatCount(connections.closedTotal)} closed.`;
}

function costTitle({ resources, streams }: Status): string {
  return `Per cent of one core, resident memory. CPU time since the start: ${formatDuration(resources.cpuTimeMs)}. Kernel maps: ${formatBytes(resources.kernelMapBytes)}. Streams open: ${streams}.`;
}
