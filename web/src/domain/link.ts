// The state of the link to the daemon, and how it is put in plain words.
import { formatDuration } from './format';

/** Why the link broke: nobody answers, the daemon answered with an error or a refusal, or it fell silent. */
export interface LinkFailure {
  readonly kind:
    | 'unreachable'
    | 'error'
    | 'locked'
    | 'forbidden'
    | 'invalid'
    | 'missing'
    | 'impossible'
    | 'silent'
    | 'stale'
    | 'ended';
  readonly message: string;
}

export type LinkState =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'live'; readonly sinceMs: number }
  /** The daemon wants a token, or another one. */
  | { readonly kind: 'locked'; readonly sinceMs: number }
  /** The daemon answers, but not to this question. */
  | { readonly kind: 'refused'; readonly sinceMs: number; readonly failure: LinkFailure }
  | {
      readonly kind: 'reconnecting';
      readonly sinceMs: number;
      /** Attempts that failed since the link broke, 0 right after the break. */
      readonly attempt: number;
      readonly failure: LinkFailure;
    };

export const CONNECTING: LinkState = { kind: 'connecting' };

/** Two or three words for the indicator. */
export function linkLabel(link: LinkState): string {
  switch (link.kind) {
    case 'connecting':
      return 'connecting';
    case 'live':
      return 'live';
    case 'locked':
      return 'token needed';
    case 'refused':
      return 'refused';
    case 'reconnecting':
      return isGone(link) && isUnreachable(link.failure) ? 'daemon is gone' : 'reconnecting';
  }
}

/** Whether the break is more than a hiccup, so that the page says it loudly. */
export function isGone(link: LinkState): boolean {
  return (
    link.kind === 'locked' || link.kind === 'refused' || (link.kind === 'reconnecting' && link.attempt > 0)
  );
}

/** The whole story for the banner, or nothing while there is none to tell. */
export function linkStory(
  link: LinkState,
  url: string,
  lastDataMs: number | undefined,
  nowMs: number,
): string | undefined {
  if (link.kind !== 'reconnecting' || !isGone(link)) {
    return undefined;
  }
  const lastData =
    lastDataMs === undefined ? 'no data yet' : `last data ${formatWhole(nowMs - lastDataMs)} ago`;
  return `${whatHappened(link.failure, url)}, ${lastData}, trying again (attempt ${link.attempt + 1}).`;
}

/** A clock that is off by less than this is not worth a word. */
const SKEW_MS = 5000;

/** That the clocks of browser and daemon differ, where they do. */
export function skewStory(aheadMs: number): string | undefined {
  if (Math.abs(aheadMs) < SKEW_MS) {
    return undefined;
  }
  const [howFar, way] = [formatDuration(Math.abs(aheadMs)), aheadMs > 0 ? 'ahead of' : 'behind'];
  return `This browser's clock is ${howFar} ${way} the daemon's: times and ages are told by the daemon's.`;
}

function isUnreachable({ kind }: LinkFailure): boolean {
  return kind === 'unreachable' || kind === 'ended';
}

function whatHappened(failure: LinkFailure, url: string): string {
  switch (failure.kind) {
    case 'unreachable':
    case 'ended':
      return `The daemon is gone: ${url} does not answer`;
    case 'silent':
      return `The daemon is silent: ${url} has sent nothing for too long`;
    case 'stale':
      return `The daemon's data arrives late: ${failure.message}`;
    case 'error':
    case 'locked':
    case 'forbidden':
    case 'invalid':
    case 'missing':
    case 'impossible':
      return `The daemon answers with an error: ${failure.message}`;
  }
}

function formatWhole(milliseconds: number): string {
  return milliseconds < 60_000 ? `${Math.round(milliseconds / 1000)} s` : formatDuration(milliseconds);
}
