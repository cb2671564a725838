// Packets as they pass, those that pass a filter.
import { useRef, useState, type ReactElement } from 'react';
import { PacketsView } from '../components/packets-view';
import { useKeys } from '../components/use-keys';
import type { PacketsPlace } from '../domain/place';

export default function Packets({ place: here }: { place: PacketsPlace }): ReactElement {
  const [paused, setPaused] = useState(false);
  const filterInput = useRef<HTMLInputElement>(null);
  useKeys({
    '/': () => {
      filterInput.current?.focus();
      filterInput.current?.select();
    },
    p: () => {
      setPaused(!paused);
    },
  });
  return <PacketsView here={here} paused={paused} onPause={setPaused} filterInput={filterInput} />;
}
