// Why a connection is as it is, as the daemon judges it, and what of it fits into a badge.

/** Where the cause lies, in the words of the filter language. */
export type VerdictKind =
  'unknown' | 'healthy' | 'idle' | 'network' | 'peer' | 'application' | 'handshake' | 'backlog';

/** What the cause is, in the words of the filter language. */
export type VerdictCause =
  | 'none'
  | 'loss'
  | 'round-trip'
  | 'not-reading'
  | 'small-window'
  | 'not-sending'
  | 'send-buffer'
  | 'not-closing'
  | 'no-answer'
  | 'refused'
  | 'queue-full'
  | 'not-accepted';

/** A number behind a verdict, in a few words. */
export interface Evidence {
  readonly name: string;
  readonly text: string;
}

export interface Verdict {
  readonly kind: VerdictKind;
  readonly cause: VerdictCause;
  readonly sinceMs: number;
  /** In a sentence, with its numbers. */
  readonly text: string;
  /** The most telling one first. */
  readonly evidence: readonly Evidence[];
}

export type VerdictTone = 'good' | 'still' | 'warn' | 'bad';

export const KIND_WORDS: Record<VerdictKind, string> = {
  unknown: 'not known',
  healthy: 'nothing is wrong',
  idle: 'nothing is sent',
  network: 'the network between the ends',
  peer: 'the other end',
  application: 'the application on this host',
  handshake: 'the handshake',
  backlog: 'the queue of the listening socket',
};

const CAUSES: Record<VerdictCause, { readonly word: string; readonly tone: VerdictTone }> = {
  none: { word: '', tone: 'good' },
  loss: { word: 'loss', tone: 'bad' },
  'round-trip': { word: 'slow path', tone: 'warn' },
  'not-reading': { word: 'not reading', tone: 'bad' },
  'small-window': { word: 'small window', tone: 'warn' },
  'not-sending': { word: 'not sending', tone: 'warn' },
  'send-buffer': { word: 'send buffer', tone: 'warn' },
  'not-closing': { word: 'not closing', tone: 'warn' },
  'no-answer': { word: 'no answer', tone: 'bad' },
  refused: { word: 'refused', tone: 'bad' },
  'queue-full': { word: 'queue full', tone: 'bad' },
  'not-accepted': { word: 'not accepted', tone: 'bad' },
};

const UNHEALTHY_KINDS: readonly VerdictKind[] = ['network', 'peer', 'application', 'handshake', 'backlog'];

/** The filter for all with whom something is wrong. */
export const UNHEALTHY_FILTER = `verdict in {${UNHEALTHY_KINDS.join(', ')}}`;

/** What the badge says. */
export function verdictWord({ kind, cause }: Verdict): string {
  return cause === 'none' ? kind : CAUSES[cause].word;
}

export function verdictTone({ kind, cause }: Verdict): VerdictTone {
  return kind === 'idle' || kind === 'unknown' ? 'still' : CAUSES[cause].tone;
}

/** The filter for all of which the same is said. */
export function filterOfVerdict(verdict: Verdict | undefined): string | undefined {
  if (verdict === undefined || verdict.kind === 'unknown') {
    return undefined;
  }
  return verdict.cause === 'none' ? `verdict == ${verdict.kind}` : `verdict.cause == ${verdict.cause}`;
}
