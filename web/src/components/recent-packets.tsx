// The newest packets of the selected connection, newest first.
import type { ReactElement } from 'react';
import type { Connection } from '../domain/connection';
import type { LinkState } from '../domain/link';
import { formatClock, formatCount } from '../domain/format';
import type { Packet } from '../domain/packet';
import { useChanges } from '../store/notifier';
import { useStores } from '../store/stores';
import { FlagMarks } from './flag-marks';
import styles from './recent-packets.module.css';

const SHOWN = 50;

export function RecentPackets(): ReactElement {
  const { packets, selection } = useStores();
  useChanges(packets);
  const newestFirst = packets.ring.slice(-SHOWN).reverse();
  return (
    <section data-testid="recent-packets">
      <h3>Recent packets</h3>
      {newestFirst.length === 0 ? (
        <p className={styles.empty}>{emptyWords(packets.link)}</p>
      ) : (
        <table className={styles.table}>
          <thead>
            <tr>
              <th scope="col">Time</th>
              <th scope="col">Way</th>
              <th scope="col">Flags</th>
              <th scope="col">Seq</th>
              <th scope="col">Ack</th>
              <th scope="col">Payload</th>
            </tr>
          </thead>
          <tbody>
            {newestFirst.map(({ number, packet }) => (
              <tr key={number} data-testid="recent-packet" data-retransmission={packet.retransmission}>
                <td>{formatClock(packet.timestampMs)}</td>
                <td>{wayOf(packet, selection.connection)}</td>
                <td>
                  <FlagMarks flags={packet.flags} />
                </td>
                <td>{packet.seq}</td>
                <td>{packet.ack ?? ''}</td>
                <td>{formatCount(packet.payloadBytes)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function emptyWords(link: LinkState): string {
  return link.kind === 'refused'
    ? `The daemon shows no packets here: ${link.failure.message}.`
    : 'None since the packets of this connection are watched.';
}

function wayOf({ source }: Packet, connection: Connection | undefined): string {
  const isSent = source.port === connection?.source.port && source.address === connection.source.address;
  return isSent ? 'sent' : 'received';
}
