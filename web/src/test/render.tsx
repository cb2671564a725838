// Renders a component into the test document with fresh stores around it.
import { act, type ReactElement } from 'react';
import { createRoot, type Root } from 'react-dom/client';
import { StoresContext, type Stores } from '../store/stores';
import { testStores } from './feeds';

declare global {
  var IS_REACT_ACT_ENVIRONMENT: boolean;
}
globalThis.IS_REACT_ACT_ENVIRONMENT = true;

// The test document lays nothing out; virtual lists need a size to show anything.
for (const [property, sizePx] of [
  ['clientWidth', 1280],
  ['clientHeight', 600],
] as const) {
  Object.defineProperty(HTMLElement.prototype, property, { configurable: true, get: () => sizePx });
}

const roots: Root[] = [];

export function render(
  element: ReactElement,
  stores: Stores = testStores(),
): {
  container: HTMLElement;
  stores: Stores;
  /** Renders another element in its place. */
  show: (element: ReactElement) => void;
} {
  const container = document.createElement('div');
  document.body.append(container);
  const root = createRoot(container);
  roots.push(root);
  const show = (shown: ReactElement): void => {
    act(() => {
      root.render(<StoresContext value={stores}>{shown}</StoresContext>);
    });
  };
  show(element);
  return { container, stores, show };
}

export function unmountAll(): void {
  for (const root of roots.splice(0)) {
    act(() => {
      root.unmount();
    });
  }
  document.body.replaceChildren();
}
