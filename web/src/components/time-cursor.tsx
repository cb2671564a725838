// What a pointer does on a chart, by keys: the arrows walk from time to time, and what stands there is said.
import { useState, type KeyboardEvent, type ReactElement, type ReactNode } from 'react';

/** Page Up and Page Down go so many times further. */
const PAGE = 10;

interface TimeCursorProps {
  readonly label: string;
  /** What stands at the time that is pointed at. */
  readonly words: string;
  /** How many times there are. */
  readonly count: number;
  /** To which of them; undefined when it is left. */
  readonly onMove: (index: number | undefined) => void;
  /** Up or down by one, where there is something above each other. */
  readonly onRise?: (by: number) => void;
  readonly children: ReactNode;
}

export function TimeCursor({ label, words, count, onMove, onRise, children }: TimeCursorProps): ReactElement {
  const [at, setAt] = useState<number>();
  const newest = count - 1;
  const move = (to: number | undefined): void => {
    setAt(to);
    onMove(to);
  };
  const pressKey = (event: KeyboardEvent): void => {
    const from = Math.min(at ?? newest, newest);
    const moves: Partial<Record<string, number>> = {
      ArrowLeft: at === undefined ? newest : from - 1,
      ArrowRight: from + 1,
      PageUp: from - PAGE,
      PageDown: from + PAGE,
      Home: 0,
      End: newest,
    };
    const to = moves[event.key];
    const rise = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (rise !== undefined && onRise !== undefined && at !== undefined) {
      event.preventDefault();
      onRise(rise);
    } else if (to !== undefined && count > 0) {
      event.preventDefault();
      move(Math.max(0, Math.min(newest, to)));
    } else if (event.key === 'Escape' && at !== undefined) {
      event.preventDefault();
      event.nativeEvent.stopPropagation();
      move(undefined);
    }
  };
  return (
    <div
      role="slider"
      tabIndex={0}
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={Math.max(0, newest)}
      aria-valuenow={Math.max(0, at ?? newest)}
      aria-valuetext={words}
      onKeyDown={pressKey}
      onBlur={() => {
        if (at !== undefined) {
          move(undefined);
        }
      }}
    >
      {children}
    </div>
  );
}
