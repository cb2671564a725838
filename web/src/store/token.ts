// The token that the daemon was given, for as long as this tab is open. Kept in the browser's
// session storage, which other tabs and later sessions do not see.
import { Notifier } from './notifier';

const STORAGE_KEY = 'tcpviewer.token';
/** What can stand in a header. */
const TOKEN = /^[\x21-\x7e]+$/;

export class TokenStore {
  readonly notifier = new Notifier();
  readonly #storage: Storage | undefined;
  #token: string | undefined;

  constructor(storage: Storage | undefined) {
    this.#storage = storage;
    this.#token = read(storage);
  }

  readonly current = (): string | undefined => this.#token;

  /** Takes what was typed; false when no token can look like that. */
  set(typed: string): boolean {
    const token = typed.trim();
    if (!TOKEN.test(token)) {
      return false;
    }
    this.#token = token;
    try {
      this.#storage?.setItem(STORAGE_KEY, token);
    } catch {
      // A full or forbidden storage must not break the page: the token lasts as long as the page.
    }
    this.notifier.changedNow();
    return true;
  }

  forget(): void {
    this.#token = undefined;
    try {
      this.#storage?.removeItem(STORAGE_KEY);
    } catch {
      // A storage that is forbidden has kept nothing.
    }
    this.notifier.changedNow();
  }
}

function read(storage: Storage | undefined): string | undefined {
  try {
    const stored = storage?.getItem(STORAGE_KEY) ?? '';
    return TOKEN.test(stored) ? stored : undefined;
  } catch {
    return undefined;
  }
}
