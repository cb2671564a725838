// What every loop that talks to the daemon shares: how long to wait before the next attempt,
// a wait that can be cut short, and what an error means to the user.
import { Code, ConnectError } from '@connectrpc/connect';
import type { LinkFailure } from '../domain/link';

const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 5000;
/** Who was refused asks again on his own only now and then: the daemon writes down who asks in vain. */
export const REFUSED_DELAY_MS = 30_000;

/** A break that this side decided on. */
export class GivenUp extends Error {
  readonly failure: LinkFailure;

  constructor(failure: LinkFailure) {
    super(failure.message);
    this.failure = failure;
  }
}

/** Doubles from 250 ms to 5 s; the random part (a quarter off at most) keeps many tabs apart. */
export function backoffMs(attempt: number, random: () => number = Math.random): number {
  const delayMs = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(attempt, 10));
  return delayMs * (1 - random() / 4);
}

/** Resolves after the delay, or at once when the signal is aborted. */
export function wait(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const finish = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', finish);
      resolve();
    };
    const timer = setTimeout(finish, delayMs);
    signal.addEventListener('abort', finish);
  });
}

/** A function, so that the check after an await is not taken for decided before it. */
export function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

/** Tells a daemon that does not answer from one that answers with an error or a refusal. */
export function toFailure(error: unknown): LinkFailure {
  const connectError = ConnectError.from(error);
  return { kind: failureKind(connectError.code), message: connectError.rawMessage || connectError.message };
}

function failureKind(code: Code): LinkFailure['kind'] {
  if (code === Code.Unauthenticated) {
    return 'locked';
  }
  if (code === Code.PermissionDenied) {
    return 'forbidden';
  }
  if (code === Code.InvalidArgument) {
    return 'invalid';
  }
  if (code === Code.NotFound) {
    return 'missing';
  }
  if (code === Code.FailedPrecondition) {
    return 'impossible';
  }
  const networkCodes = [Code.Unknown, Code.Unavailable, Code.Canceled];
  return networkCodes.includes(code) ? 'unreachable' : 'error';
}

/** Whether the daemon answers, but will not tell this: asking again at once is of no use. */
export function isRefusal({ kind }: LinkFailure): boolean {
  return kind === 'forbidden' || kind === 'invalid' || kind === 'missing' || kind === 'impossible';
}
