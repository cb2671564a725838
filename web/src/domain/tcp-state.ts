// The states of RFC 9293, their names as tools print them, and the four groups that get a colour.

export type TcpState =
  | 'UNKNOWN'
  | 'CLOSED'
  | 'LISTEN'
  | 'SYN_SENT'
  | 'SYN_RECEIVED'
  | 'ESTABLISHED'
  | 'FIN_WAIT_1'
  | 'FIN_WAIT_2'
  | 'CLOSE_WAIT'
  | 'CLOSING'
  | 'LAST_ACK'
  | 'TIME_WAIT';

export type StateGroup = 'opening' | 'established' | 'closing' | 'closed' | 'unknown';

interface StateWords {
  readonly name: string;
  readonly group: StateGroup;
  readonly meaning: string;
  /** Position in the life of a connection, for sorting. */
  readonly order: number;
}

export const STATES: Record<TcpState, StateWords> = {
  LISTEN: { name: 'listen', group: 'opening', meaning: 'This end waits for a SYN.', order: 1 },
  SYN_SENT: { name: 'syn sent', group: 'opening', meaning: 'This end has sent a SYN.', order: 2 },
  SYN_RECEIVED: {
    name: 'syn received',
    group: 'opening',
    meaning: 'This end has answered a SYN with its own.',
    order: 3,
  },
  ESTABLISHED: {
    name: 'established',
    group: 'established',
    meaning: 'Both SYNs were acknowledged; data may flow.',
    order: 4,
  },
  FIN_WAIT_1: {
    name: 'fin wait 1',
    group: 'closing',
    meaning: 'This end has sent a FIN that is not acknowledged yet.',
    order: 5,
  },
  FIN_WAIT_2: {
    name: 'fin wait 2',
    group: 'closing',
    meaning: 'The FIN of this end was acknowledged; the other end may still send.',
    order: 6,
  },
  CLOSE_WAIT: {
    name: 'close wait',
    group: 'closing',
    meaning: 'The other end has sent its FIN; this end may still send.',
    order: 7,
  },
  CLOSING: {
    name: 'closing',
    group: 'closing',
    meaning: 'Both ends sent a FIN before either was acknowledged.',
    order: 8,
  },
  LAST_ACK: {
    name: 'last ack',
    group: 'closing',
    meaning: 'This end sent its FIN after the other and waits for its acknowledgement.',
    order: 9,
  },
  TIME_WAIT: {
    name: 'time wait',
    group: 'closed',
    meaning: 'Both FINs were acknowledged; this end closed first and lingers.',
    order: 10,
  },
  CLOSED: {
    name: 'closed',
    group: 'closed',
    meaning: 'Nothing is left of the connection at this end.',
    order: 11,
  },
  UNKNOWN: {
    name: 'unknown',
    group: 'unknown',
    meaning: 'The state could not be told from the packets seen.',
    order: 12,
  },
};

/** The state as the filter language writes it: "fin-wait-1". */
export function stateWord(state: TcpState): string {
  return state.toLowerCase().replaceAll('_', '-');
}
