/**
 * What a kind of file store knows: where its files are, what they show, and how they look under an arrangement. When they are
 * read and written, and by whom, is the business of versioned-store.ts.
 */
import type { Evidence } from '../../domain/evidence.js';
import type { Arrangement, SecretSlot } from '../../domain/slot.js';
import type { Shown, ShownPlace } from './arrangements.js';
import type { Entry } from './sidecar.js';

/** A file that the application reads, as it was; null: there was none. */
export interface SeenFile {
  /** Not a symlink. */
  readonly path: string;
  readonly bytes: Buffer | null;
}

/** One look at the files. */
export interface Look {
  readonly seen: readonly SeenFile[];
}

export interface FileChange extends SeenFile {
  /** For fault points: `env file`. */
  readonly label: string;
  /** null: the file goes. */
  readonly content: Buffer | null;
  /** A file whose owner, group and mode a new one gets. */
  readonly like?: string;
}

/** Methods that take a look are pure, but `preflight`. All throw KeyturnError. */
export interface Medium<L extends Look> {
  /** The file or directory that the inventory names, behind any symlink. Lock and sidecar stand beside it. */
  locate(): Promise<string>;

  /** @param places where secrets stand that somebody will ask for: no more needs to be read. */
  look(places: readonly ShownPlace[]): Promise<L>;

  read(look: L, place: ShownPlace): Shown;

  /** How the places of a slot are now, so that it can be undone to the byte. */
  remember(look: L, slot: SecretSlot): Pick<Entry, 'original' | 'second'>;

  /**
   * What is to be written, in this order, for an arrangement. Files that stay as they are may be among it.
   * @throws KeyturnError `unrepresentable` when the application would not read it back identically.
   */
  changes(look: L, entry: Entry, arrangement: Arrangement): readonly FileChange[];

  /** Where a process was killed between the files of one arrangement: the arrangement to name it by; else undefined. */
  between(shown: Shown, entry: Entry): Arrangement | undefined;

  /** Whether later writes can succeed. */
  preflight(look: L, slot: SecretSlot, entry: Entry | undefined): Promise<Evidence>;
}
