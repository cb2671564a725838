// The ways in which a connection fails, as a view of them offers them, and the filters that they stand for.
import type { CloseReason } from './connection';

export const FAILURES = ['all', 'refused', 'unanswered', 'reset', 'vanished'] as const;

export type FailureKind = (typeof FAILURES)[number];

interface FailureWords {
  readonly name: string;
  readonly meaning: string;
  readonly reasons: readonly CloseReason[];
}

const KINDS: Record<Exclude<FailureKind, 'all'>, FailureWords> = {
  refused: {
    name: 'Refused',
    meaning: 'The SYN was answered with a RST: nobody listens there, or a firewall says so.',
    reasons: ['refused'],
  },
  unanswered: {
    name: 'Not answered',
    meaning: 'The SYN was never answered: the host is gone, or a firewall drops it.',
    reasons: ['handshake-timeout'],
  },
  reset: {
    name: 'Reset',
    meaning: 'One end broke off an open connection with a RST.',
    reasons: ['reset-by-source', 'reset-by-destination'],
  },
  vanished: {
    name: 'Vanished',
    meaning:
      'No packet said that it ended: silent for too long, its socket failed or gone, or its place taken.',
    reasons: ['idle-timeout', 'socket-error', 'socket-gone', 'replaced', 'given-up'],
  },
};

export const FAILURE_WORDS: Record<FailureKind, FailureWords> = {
  all: {
    name: 'All',
    meaning: 'Every connection that ended in another way than by both ends having finished.',
    reasons: Object.values(KINDS).flatMap(({ reasons }) => reasons),
  },
  ...KINDS,
};

export function isFailureKind(name: string | null): name is FailureKind {
  return FAILURES.some((kind) => kind === name);
}

/** The way in which a connection failed; undefined for one that lives or ended well. */
export function failureOf(reason: CloseReason): Exclude<FailureKind, 'all'> | undefined {
  const kinds = Object.keys(KINDS) as (keyof typeof KINDS)[];
  return kinds.find((kind) => KINDS[kind].reasons.includes(reason));
}

/** In the daemon's filter language. */
export function filterOfFailure(kind: FailureKind): string {
  return `close_reason in {${FAILURE_WORDS[kind].reasons.join(', ')}}`;
}
