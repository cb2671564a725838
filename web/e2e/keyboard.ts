// A page that is used by keyboard alone: the way of the focus to an element, and whether it can be seen where it is.
import type { Locator, Page } from 'playwright-core';

/** More stops than any view has between two things. */
const MOST_STOPS = 120;

const isFocused = (element: Locator): Promise<boolean> =>
  element.evaluateAll((elements) => elements.some((one) => one === document.activeElement));

/** Presses Tab until the element has the focus, from wherever that is. */
export async function tabTo(page: Page, element: Locator): Promise<void> {
  for (let stop = 0; stop < MOST_STOPS; stop += 1) {
    if (await isFocused(element)) {
      return;
    }
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab does not lead to ${element.toString()}`);
}

/** Goes there by Tab, and presses the key that activates what it is. */
export async function activate(
  page: Page,
  element: Locator,
  key: 'Enter' | 'Space' = 'Enter',
): Promise<void> {
  await tabTo(page, element);
  await page.keyboard.press(key);
}

export async function type(page: Page, keys: string): Promise<void> {
  for (const key of keys.split(' ')) {
    await page.keyboard.press(key);
  }
}

/** What the focus stands on, and by which of its styles, or those around it, that can be seen; walks once through all. */
export async function walk(page: Page): Promise<{ stop: string; seen: boolean }[]> {
  const stops: { stop: string; seen: boolean }[] = [];
  await page.evaluate('document.activeElement?.blur()');
  for (let count = 0; count < MOST_STOPS; count += 1) {
    await page.keyboard.press('Tab');
    const stop = await page.evaluate(() => {
      const element = document.activeElement;
      if (element === null || element === document.body) {
        return undefined;
      }
      const isRing = (one: Element | null): boolean => {
        const style = one === null ? undefined : getComputedStyle(one);
        return (
          style !== undefined &&
          ((style.outlineStyle !== 'none' && Number.parseFloat(style.outlineWidth) >= 2) ||
            style.boxShadow !== 'none')
        );
      };
      const { top, bottom } = element.getBoundingClientRect();
      const inSight = bottom > 0 && top < innerHeight;
      const name = element.getAttribute('aria-label') ?? element.textContent.trim().slice(0, 40);
      // A field's ring is around its sign too.
      return { stop: name, seen: inSight && (isRing(element) || isRing(element.parentElement)) };
    });
    if (stop === undefined || stop.stop === stops[0]?.stop) {
      break;
    }
    stops.push(stop);
  }
  return stops;
}
