// How far away the ends are: round-trip times of the connection and of both halves, and the
// times of the handshake.
import type { ReactElement } from 'react';
import type { Connection, Rtt } from '../domain/connection';
import { formatCount, formatMicroseconds } from '../domain/format';
import { NumberTable, type NumberLine } from './number-table';

export function RoundTripTable({ connection }: { connection: Connection }): ReactElement {
  const { rtt, sent, received, handshake } = connection;
  const line = (name: string, title: string, value: (rtt: Rtt | undefined) => string): NumberLine => ({
    name,
    title,
    values: [value(rtt), value(sent.rtt), value(received.rtt)],
  });
  return (
    <>
      <NumberTable
        heading="Round trip"
        columns={['Connection', 'To dest.', 'To source']}
        lines={[
          line('Smoothed', 'RFC 6298', (half) => formatMicroseconds(half?.srttUs)),
          line('Deviation', 'RFC 6298, smoothed mean deviation', (half) =>
            formatMicroseconds(half?.rttvarUs),
          ),
          line('Smallest', 'Smallest sample', (half) => formatMicroseconds(half?.minUs)),
          line('Largest', 'Largest sample', (half) => formatMicroseconds(half?.maxUs)),
          line('Newest', 'Newest sample', (half) => formatMicroseconds(half?.lastUs)),
          line('Samples', 'Segments that were timed', (half) => formatCount(half?.samples)),
        ]}
      />
      <NumberTable
        heading="Handshake"
        columns={['Whole', 'To dest.', 'To source']}
        lines={[
          {
            name: 'Time',
            title: 'SYN to ACK, SYN to SYN-ACK, SYN-ACK to ACK',
            values: [handshake?.rttUs, handshake?.synToSynAckUs, handshake?.synAckToAckUs].map(
              formatMicroseconds,
            ),
          },
        ]}
      />
    </>
  );
}
