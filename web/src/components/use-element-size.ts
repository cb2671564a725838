// Sizes on the screen, followed as they change: of an element, and of the window.
import { useEffect, useState, useSyncExternalStore, type RefObject } from 'react';

export function useElementWidth(element: RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const target = element.current;
    if (target === null) {
      return;
    }
    const observer = new ResizeObserver(() => {
      setWidth(target.clientWidth);
    });
    observer.observe(target);
    return () => {
      observer.disconnect();
    };
  }, [element]);
  return width;
}

export function useWindowHeight(): number {
  return useSyncExternalStore(followWindow, () => window.innerHeight);
}

function followWindow(changed: () => void): () => void {
  window.addEventListener('resize', changed);
  return () => {
    window.removeEventListener('resize', changed);
  };
}
