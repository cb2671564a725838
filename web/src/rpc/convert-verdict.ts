// From the generated verdict to the plain type of domain/.
import { KIND_WORDS, type Verdict, type VerdictCause, type VerdictKind } from '../domain/verdict';
import * as wire from '../gen/tcpviewer/v1/verdict_pb';
import { known, toMilliseconds } from './convert-values';

const KINDS: Record<wire.VerdictKind, VerdictKind> = {
  [wire.VerdictKind.UNSPECIFIED]: 'unknown',
  [wire.VerdictKind.HEALTHY]: 'healthy',
  [wire.VerdictKind.IDLE]: 'idle',
  [wire.VerdictKind.NETWORK]: 'network',
  [wire.VerdictKind.PEER]: 'peer',
  [wire.VerdictKind.APPLICATION]: 'application',
  [wire.VerdictKind.HANDSHAKE]: 'handshake',
  [wire.VerdictKind.BACKLOG]: 'backlog',
};

const CAUSES: Record<wire.VerdictCause, VerdictCause> = {
  [wire.VerdictCause.UNSPECIFIED]: 'none',
  [wire.VerdictCause.LOSS]: 'loss',
  [wire.VerdictCause.ROUND_TRIP]: 'round-trip',
  [wire.VerdictCause.NOT_READING]: 'not-reading',
  [wire.VerdictCause.SMALL_WINDOW]: 'small-window',
  [wire.VerdictCause.NOT_SENDING]: 'not-sending',
  [wire.VerdictCause.SEND_BUFFER]: 'send-buffer',
  [wire.VerdictCause.NOT_CLOSING]: 'not-closing',
  [wire.VerdictCause.NO_ANSWER]: 'no-answer',
  [wire.VerdictCause.REFUSED]: 'refused',
  [wire.VerdictCause.QUEUE_FULL]: 'queue-full',
  [wire.VerdictCause.NOT_ACCEPTED]: 'not-accepted',
};

export function toVerdict(message: wire.Verdict | undefined): Verdict | undefined {
  if (message === undefined) {
    return undefined;
  }
  const kind = known(KINDS, message.kind, 'unknown');
  return {
    kind,
    cause: known(CAUSES, message.cause, 'none'),
    sinceMs: toMilliseconds(message.since) ?? 0,
    // A stream of many connections leaves the words out where nothing is wrong.
    text: message.text === '' ? KIND_WORDS[kind] : message.text,
    evidence: message.evidence.map(({ name, text }) => ({ name, text })),
  };
}
