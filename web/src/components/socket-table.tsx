// What the kernel says of the sockets of this host: the numbers of `ss -ti`.
import type { ReactElement } from 'react';
import type { Connection, Socket } from '../domain/connection';
import { formatByteRate, formatCount, formatMicroseconds, NOT_MEASURED } from '../domain/format';
import { NumberTable, type NumberLine } from './number-table';

export function SocketTable({ connection }: { connection: Connection }): ReactElement | null {
  const sockets = [
    { column: 'Source', socket: connection.sent.socket },
    { column: 'Destination', socket: connection.received.socket },
  ].filter(({ socket }) => socket !== undefined);
  if (sockets.length === 0) {
    return null;
  }
  const line = (name: string, title: string, value: (socket: Socket) => string): NumberLine => ({
    name,
    title,
    values: sockets.map(({ socket }) => socket && value(socket)),
  });
  return (
    <NumberTable
      heading="Socket"
      columns={sockets.map(({ column }) => column)}
      lines={[
        line('Smoothed RTT', "The kernel's own", ({ srttUs }) => formatMicroseconds(srttUs)),
        line('Smallest RTT', 'Of the last five minutes', ({ minRttUs }) => formatMicroseconds(minRttUs)),
        line('Congestion window', 'Segments', ({ congestionWindow }) => formatCount(congestionWindow)),
        line('Slow start threshold', 'Segments; none until the first loss', ({ slowStartThreshold }) =>
          formatCount(slowStartThreshold),
        ),
        line('In flight', 'Segments', ({ inFlight }) => formatCount(inFlight)),
        line('… sent again', 'Segments', ({ retransmitted }) => formatCount(retransmitted)),
        line('… lost', 'Segments', ({ lost }) => formatCount(lost)),
        line('… received out of order', 'Segments, as the other end says', ({ sacked }) =>
          formatCount(sacked),
        ),
        line('Retransmissions', "Since the beginning, the kernel's own count", ({ retransmissions }) =>
          formatCount(retransmissions),
        ),
        line('Delivery rate', 'Payload that reached the other end', ({ deliveryRateBytesPerSecond }) =>
          deliveryRateBytesPerSecond === undefined
            ? NOT_MEASURED
            : formatByteRate(deliveryRateBytesPerSecond),
        ),
      ]}
    />
  );
}
