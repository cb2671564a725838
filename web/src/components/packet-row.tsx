// One packet as a line: when, where it crossed, who to whom, flags and numbers.
import { memo, type ReactElement } from 'react';
import { formatClock, formatCount, NOT_MEASURED } from '../domain/format';
import type { Packet, PacketDirection } from '../domain/packet';
import { EndpointText } from './endpoint-text';
import { FlagMarks } from './flag-marks';
import styles from './packet-row.module.css';
import { PlaceLink } from './place-link';

const ARROWS: Record<PacketDirection, { sign: string; title: string }> = {
  ingress: { sign: '↓', title: 'into this host' },
  egress: { sign: '↑', title: 'out of this host' },
  unknown: { sign: '·', title: 'direction not known' },
};

interface PacketRowProps {
  readonly packet: Packet;
  /** The daemon's run, by which its connection is found; undefined until it is known. */
  readonly run: bigint | undefined;
  /** Counted from 1. */
  readonly position: number;
  readonly topPx: number;
}

export const PacketRow = memo(function PacketRow({
  packet,
  run,
  position,
  topPx,
}: PacketRowProps): ReactElement {
  const arrow = ARROWS[packet.direction];
  return (
    <div
      role="row"
      className={styles.row}
      data-testid="packet-row"
      data-connection-id={String(packet.connectionId)}
      data-retransmission={packet.retransmission}
      aria-rowindex={position + 1}
      style={{ transform: `translateY(${topPx}px)` }}
    >
      <span role="cell" className={styles.mono}>
        {formatClock(packet.timestampMs)}
      </span>
      <span role="cell" className={styles.crossing} title={arrow.title}>
        <span className={styles.arrow} data-direction={packet.direction}>
          {arrow.sign}
        </span>{' '}
        {packet.interface}
      </span>
      <span role="cell" className={styles.cell}>
        <EndpointText address={packet.source.address} port={packet.source.port} />
      </span>
      <span role="cell" className={styles.cell}>
        <EndpointText address={packet.destination.address} port={packet.destination.port} />
      </span>
      <span role="cell" className={styles.cell}>
        <FlagMarks flags={packet.flags} />
      </span>
      <span role="cell" className={styles.number} data-column="seq">
        {packet.seq}
      </span>
      <span role="cell" className={styles.number} data-column="ack">
        {packet.ack ?? NOT_MEASURED}
      </span>
      <span role="cell" className={styles.number} data-column="window" title="As in the header, not scaled">
        {packet.window}
      </span>
      <span role="cell" className={styles.number}>
        {formatCount(packet.payloadBytes)}
      </span>
      <span role="cell" className={styles.number}>
        {run !== undefined && (
          <PlaceLink
            to={{ view: 'connection', ref: { instance: run, id: packet.connectionId } }}
            title="Open its connection"
          >
            {String(packet.connectionId)}
          </PlaceLink>
        )}
      </span>
      <span role="cell" className={styles.marks}>
        {packet.wirePackets > 1 && (
          <span title={`Stands for ${packet.wirePackets} packets on the wire`}>×{packet.wirePackets}</span>
        )}
        {packet.retransmission && <span className={styles.retransmission}>retransmission</span>}
      </span>
    </div>
  );
});
