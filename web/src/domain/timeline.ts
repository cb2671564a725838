// The life of a connection in phases: opening until its handshake is complete, open, closing from the first FIN, and
// what happened to it on the way. Told by the packets that the kernel remembered of it.
import type { CloseReason, Connection } from './connection';
import type { NotablePacket } from './history';
import { STATES } from './tcp-state';

export interface Phase {
  readonly kind: 'opening' | 'open' | 'closing';
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Moment {
  readonly atMs: number;
  readonly kind: 'retransmission' | 'zero-window' | 'reset';
}

export interface Timeline {
  /** In order, each beginning where the one before ends. */
  readonly phases: readonly Phase[];
  /** Oldest first. */
  readonly moments: readonly Moment[];
}

const NEVER_OPEN: readonly CloseReason[] = ['refused', 'handshake-timeout', 'given-up'];

export function timelineOf(
  connection: Connection,
  packets: readonly NotablePacket[],
  nowMs: number,
): Timeline {
  const { firstSeenMs, closedAtMs } = connection;
  const endMs = Math.max(firstSeenMs, closedAtMs ?? nowMs);
  const within = (atMs: number): number => Math.min(endMs, Math.max(firstSeenMs, atMs));
  const openMs = within(openedAtMs(connection, packets) ?? endMs);
  const closingMs = Math.max(openMs, within(closingSinceMs(connection, packets) ?? endMs));
  const phases: readonly Phase[] = [
    { kind: 'opening', fromMs: firstSeenMs, toMs: openMs },
    { kind: 'open', fromMs: openMs, toMs: closingMs },
    { kind: 'closing', fromMs: closingMs, toMs: endMs },
  ];
  const moments = packets.flatMap(({ timestampMs: atMs, notableFor, flags }): Moment[] => {
    if (notableFor.includes('retransmission')) {
      return [{ atMs, kind: 'retransmission' }];
    }
    if (notableFor.includes('zero-window')) {
      return [{ atMs, kind: 'zero-window' }];
    }
    return flags.includes('RST') ? [{ atMs, kind: 'reset' }] : [];
  });
  // A connection that was met open has no opening, and one that lives no closing.
  return { phases: phases.filter(({ fromMs, toMs }) => toMs > fromMs), moments };
}

/** When the handshake was complete; undefined while it is not. */
function openedAtMs(connection: Connection, packets: readonly NotablePacket[]): number | undefined {
  const { orientation, firstSeenMs, handshake, state, closeReason } = connection;
  if (orientation !== 'handshake') {
    return firstSeenMs;
  }
  if (NEVER_OPEN.includes(closeReason)) {
    return undefined;
  }
  const completes = packets.find(
    ({ notableFor, flags }) =>
      notableFor.includes('handshake') && !flags.includes('SYN') && !flags.includes('RST'),
  );
  if (completes !== undefined) {
    return completes.timestampMs;
  }
  if (handshake?.rttUs !== undefined) {
    return firstSeenMs + handshake.rttUs / 1000;
  }
  return STATES[state].group === 'opening' ? undefined : firstSeenMs;
}

/** When the first end said that it has finished; undefined where none did. */
function closingSinceMs(
  { state, lastSeenMs }: Connection,
  packets: readonly NotablePacket[],
): number | undefined {
  const finished = packets.find(({ flags }) => flags.includes('FIN'));
  // Where the packet was not remembered, the state still tells that there was one.
  return finished?.timestampMs ?? (STATES[state].group === 'closing' ? lastSeenMs : undefined);
}
