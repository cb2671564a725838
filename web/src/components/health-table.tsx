// What the packets of each direction say of the path and of both ends: Wireshark's TCP analysis, counted.
import type { ReactElement } from 'react';
import type { Half } from '../domain/connection';
import { formatCount } from '../domain/format';
import { NumberTable, type NumberLine } from './number-table';

export function HealthTable({ sent, received }: { sent: Half; received: Half }): ReactElement {
  const line = (name: string, title: string, value: (half: Half) => number): NumberLine => ({
    name,
    title,
    values: [formatCount(value(sent)), formatCount(value(received))],
  });
  return (
    <NumberTable
      heading="Health"
      columns={['Sent', 'Received']}
      lines={[
        line(
          'Retransmissions',
          'Packets that carry what was already sent, of all classes',
          (half) => half.retransmissions,
        ),
        line('… fast', 'Asked for by duplicate ACKs', (half) => half.fastRetransmissions),
        line('… spurious', 'Of what was already acknowledged', (half) => half.spuriousRetransmissions),
        line('… of the SYN', 'The SYN or SYN-ACK, sent again', (half) => half.synRetransmissions),
        line('Out of order', 'Overtaken on the way, not sent twice', (half) => half.outOfOrder),
        line('Lost segments', 'Packets that begin beyond the next expected one', (half) => half.lostSegments),
        line('Duplicate ACKs', 'ACKs that say again what the last one said', (half) => half.duplicateAcks),
        line('Zero windows', 'Packets that offer no receive window', (half) => half.zeroWindows),
        line('Window full', 'Packets that use up the window of the other side', (half) => half.windowFull),
        line('Keep-alives', 'Probes of a silent connection', (half) => half.keepAlives),
        line('Resets', 'Packets with RST', (half) => half.resets),
        line('Congestion marks', 'Packets that a router marked (ECN, CE)', (half) => half.ecnMarked),
        line('Marks reported', 'Packets that tell the sender of such marks (ECE)', (half) => half.ecnEchoed),
      ]}
    />
  );
}
