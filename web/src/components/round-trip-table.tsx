// How far away the ends are: round-trip times of the connection and of both halves, the times of
// the handshake, and how long each end takes to answer.
import type { ReactElement } from 'react';
import { RTT_SOURCE_WORDS, type Connection, type Response, type Rtt } from '../domain/connection';
import { formatCount, formatMicroseconds } from '../domain/format';
import { NumberTable, type NumberLine } from './number-table';
import styles from './round-trip-table.module.css';

export function RoundTripTable({ connection }: { connection: Connection }): ReactElement {
  const { rtt, sent, received, handshake } = connection;
  const line = (name: string, title: string, value: (rtt: Rtt | undefined) => string): NumberLine => ({
    name,
    title,
    values: [value(rtt), value(sent.rtt), value(received.rtt)],
  });
  const answer = (
    name: string,
    title: string,
    value: (response: Response | undefined) => string,
  ): NumberLine => ({ name, title, values: [value(sent.response), value(received.response)] });
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
      {rtt !== undefined && <p className={styles.source}>Connection: {RTT_SOURCE_WORDS[rtt.source]}.</p>}
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
      <NumberTable
        heading="Answers"
        columns={['Source', 'Destination']}
        lines={[
          answer('Newest', 'From the last byte of the question to the first of the answer', (half) =>
            formatMicroseconds(half?.lastUs),
          ),
          answer('Mean', 'Of all answers', (half) => formatMicroseconds(half?.meanUs)),
          answer('Longest', 'Of all answers', (half) => formatMicroseconds(half?.maxUs)),
          answer('Answers', 'How many there were', (half) => formatCount(half?.count)),
        ]}
      />
    </>
  );
}
