// How long something has lasted: of a table with many rows, only this renders again when the clock ticks.
import type { ReactElement } from 'react';
import { formatDuration } from '../domain/format';
import { useDaemonNow } from './use-daemon-now';

interface DurationSinceProps {
  readonly fromMs: number;
  /** Undefined while it goes on. */
  readonly untilMs?: number | undefined;
}

export function DurationSince({ fromMs, untilMs }: DurationSinceProps): ReactElement {
  const nowMs = useDaemonNow();
  return <>{formatDuration((untilMs ?? nowMs) - fromMs)}</>;
}
