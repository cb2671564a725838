// What all conversions from generated messages share.
import type { Duration, Timestamp } from '@bufbuild/protobuf/wkt';

export function toMilliseconds(time: Timestamp | Duration | undefined): number | undefined {
  return time === undefined ? undefined : Number(time.seconds) * 1000 + time.nanos / 1e6;
}

/** The word for an enum value; the fallback for one that a newer daemon may send. */
export function known<Value extends number, Word>(
  words: Record<Value, Word>,
  value: Value,
  fallback: Word,
): Word {
  return (words as Partial<Record<Value, Word>>)[value] ?? fallback;
}
