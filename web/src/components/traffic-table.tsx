// What went each way: packets, bytes, rates, and the newest header numbers.
import type { ReactElement } from 'react';
import type { Half } from '../domain/connection';
import { formatByteRate, formatBytes, formatCount, formatRate, NOT_MEASURED } from '../domain/format';
import { NumberTable, type NumberLine } from './number-table';

export function TrafficTable({ sent, received }: { sent: Half; received: Half }): ReactElement {
  const line = (name: string, title: string, value: (half: Half) => string): NumberLine => ({
    name,
    title,
    values: [value(sent), value(received)],
  });
  return (
    <NumberTable
      heading="Traffic"
      columns={['Sent', 'Received']}
      lines={[
        line('Payload rate', 'TCP payload per second', (half) => formatByteRate(half.payloadBytesPerSecond)),
        line('Packet rate', 'Packets on the wire per second', (half) => formatRate(half.packetsPerSecond)),
        line('Payload', 'TCP payload, retransmitted bytes included', (half) => exactBytes(half.payloadBytes)),
        line('On the wire', 'With all headers down to the link layer', (half) => exactBytes(half.wireBytes)),
        line('Packets', 'Packets on the wire', (half) => formatCount(half.packets)),
        line('Sent again', 'TCP payload that had been seen before', (half) =>
          exactBytes(half.retransmittedBytes),
        ),
        line('Window', 'Receive window offered by the sender of this direction', (half) =>
          optionalBytes(half.windowBytes),
        ),
        line('In flight', 'Sent and not yet acknowledged', (half) => optionalBytes(half.inFlightBytes)),
        line('Usable window', 'What may still be sent into the window of the other side', (half) =>
          optionalBytes(half.usableWindowBytes),
        ),
        line('Window scale', 'Shift count from the SYN', (half) => plain(half.windowScale)),
        line('MSS', 'Maximum segment size from the SYN', (half) => optionalBytes(half.mssBytes)),
        line('SACK permitted', 'Selective acknowledgements, from the SYN', (half) =>
          yesOrNo(half.sackPermitted),
        ),
        line('Timestamps', 'From the SYN', (half) => yesOrNo(half.timestamps)),
        line('Fast Open', 'The SYN asks for or carries a cookie', (half) => yesOrNo(half.fastOpen)),
        line('Last seq', 'Of the newest packet', (half) => plain(half.lastSeq)),
        line('Last ack', 'Of the newest packet with ACK', (half) => plain(half.lastAck)),
      ]}
    />
  );
}

/** Small amounts to the byte, so that they can be compared with what a program counted. */
function exactBytes(bytes: number): string {
  return bytes < 10_000_000 ? `${formatCount(bytes)} B` : formatBytes(bytes);
}

function optionalBytes(bytes: number | undefined): string {
  return bytes === undefined ? NOT_MEASURED : exactBytes(bytes);
}

function yesOrNo(value: boolean | undefined): string {
  return value === undefined ? NOT_MEASURED : value ? 'yes' : 'no';
}

function plain(value: number | undefined): string {
  return value === undefined ? NOT_MEASURED : String(value);
}
