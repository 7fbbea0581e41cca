/** How people steer a wait, as the checklist says it. */
import { code } from './markdown.js';
import type { Steer } from './messages.js';

/** What it does, then the name and the data for the form, then the command. */
export const STEER: Record<Steer, (ref: string) => string> = {
  extend: (ref) =>
    `**Wait longer**, here 6 hours more: ${code('extend')} with ${code('{"by": "you@example.test", "for": "6h", "note": "why"}')}, or ${code(`keyturn extend ${ref} 6h --as you@example.test`)}`,
  dropNow: (ref) =>
    `**Wait no longer**; people are asked then whether the old role goes: ${code('dropNow')} with ${code(STEER_DATA)}, or ${code(`keyturn drop-now ${ref} --as you@example.test`)}`,
  abort: (ref) =>
    `**Go back to the old role**; everything is undone: ${code('abort')} with ${code(STEER_DATA)}, or ${code(`keyturn abort ${ref} --as you@example.test`)}`,
  tryAgain: (ref) =>
    `**Try it again now**: ${code('tryAgain')} with ${code(STEER_DATA)}, or ${code(`keyturn try-again ${ref} --as you@example.test`)}`,
  goOnWithout: (ref) =>
    `**Leave this step as it is** and undo the rest; what is undone then may have stood on it: ${code('goOnWithout')} with ${code(STEER_DATA)}, or ${code(`keyturn go-on-without ${ref} --as you@example.test`)}`,
  stopHere: (ref) =>
    `**Undo nothing more**; a person does the rest: ${code('stopHere')} with ${code(STEER_DATA)}, or ${code(`keyturn stop-here ${ref} --as you@example.test`)}`,
};
const STEER_DATA = '{"by": "you@example.test", "note": "why"}';
