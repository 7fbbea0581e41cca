/**
 * What all runs of a worker share: loaded once, and frozen by the SDK (`preloadModules`), instead of anew for each run. To make the
 * schemas of our messages costs tens of milliseconds and over a megabyte, which was most of what a waiting run took.
 *
 * Only modules that keep nothing between two calls belong here: those of domain/, which are pure, and two beside them. They export
 * neither a zod schema nor a pattern for one: frozen, these cannot be used.
 */
import '../domain/attempts.js';
import '../domain/backup.js';
import '../domain/cancelling.js';
import '../domain/checklist.js';
import '../domain/gate.js';
import '../domain/key-range.js';
import '../domain/messages.js';
import '../domain/place.js';
import '../domain/preview.js';
import '../domain/row-counts.js';
import '../domain/service-lock.js';
import '../domain/slot.js';
import '../domain/status.js';
import '../domain/steps.js';
import '../domain/wave-messages.js';
import '../runbooks/backup/steps.js';
import '../runbooks/database-swap/steps.js';
import '../runbooks/encryption/steps.js';
import '../runbooks/lost-key/steps.js';
import '../runbooks/index.js';
import '../runbooks/rows.js';
import '../runbooks/session/steps.js';
import './lib/failures.js';
import './lib/results.js';
