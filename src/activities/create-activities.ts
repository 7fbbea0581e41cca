/** The activities of a worker, by name. The only place where effects, heartbeats and failures meet Temporal. */
import type { EncryptionActivities } from './encryption-activities.js';
import type { BackupActivities } from './backup-activities.js';
import type { RecoveryActivities } from './recovery-activities.js';
import type { RotationActivities } from './rotation-activities.js';
import type { SwapActivities } from './swap-activities.js';
import { activityWrapper } from './as-activity.js';
import { makeArchive, printArchive, proveArchive, setArchiveAside } from './backup/archive.js';
import { expandBackups, findBackupsOf, resolveBackup } from './backup/planning.js';
import { checkBackup } from './backup/readiness.js';
import type { ActivityDeps } from './deps.js';
import { expandRequest, planRecovery, planRotation } from './planning.js';
import { askReadiness, checkReadiness } from './check-readiness.js';
import { recordRotation } from './recording.js';
import { arrangeSecret, discardSecret, forgetPrevious, stageSecret } from './secrets.js';
import { stageKey } from './encryption/keys.js';
import { discardKey } from './encryption/discard.js';
import { proveOldKeyUnused, readRows } from './encryption/proofs.js';
import { reencryptAtomically, reencryptRows, splitRows } from './encryption/rows.js';
import { checkRecovery } from './encryption/loss.js';
import { awaitReentries, destroyQuarantine, findReentries, recoverRows, undoRecovery } from './encryption/recovery.js';
import { awaitServices, findAhead } from './service-locks.js';
import { deployService, stopService } from './services.js';
import {
  proveOldRefused,
  rehearseProof,
  revokeSessions,
  runChecks,
  seeWhoSigns,
  watchMonitors,
} from './verification.js';
import { awaitAdoption, findRejected, findSessions, terminateOldSessions } from './swap/adoption.js';
import { changePassword, stageCredential } from './swap/credential.js';
import {
  createRole,
  disableOldRole,
  dropOldRole,
  enableOldRole,
  proveNewRole,
  proveOldLoginRefused,
  recompareRights,
  removeNewRole,
} from './swap/roles.js';
import { restoreOldRole } from './swap/way-back.js';
import { findWindow } from './window.js';

export function createActivities(
  deps: ActivityDeps,
): RotationActivities & SwapActivities & BackupActivities & EncryptionActivities & RecoveryActivities {
  const asActivity = activityWrapper(deps.log, deps.fingerprintKey, deps.tellRun);
  return {
    expandRequest: asActivity((_, request) => expandRequest(request, deps)),
    resolvePlan: asActivity((_, request) => planRotation(request, deps)),
    checkReadiness: asActivity((tools, plan) => checkReadiness(plan, deps, tools)),
    askReadiness: asActivity(({ signal }, plan, look) => askReadiness(plan, look, deps, signal)),
    stageSecret: asActivity((tools, hold) => stageSecret(hold, deps, tools)),
    arrangeSecret: asActivity((tools, hold) => arrangeSecret(hold, deps, tools)),
    discardSecret: asActivity((_, hold) => discardSecret(hold, deps)),
    forgetPrevious: asActivity((_, hold) => forgetPrevious(hold, deps)),
    findAhead: asActivity((_, wanted) => findAhead(wanted, deps)),
    awaitServices: asActivity((tools, wanted) => awaitServices(wanted, deps, tools)),
    deployService: asActivity((tools, service, changed) => deployService(service, changed, deps, tools)),
    revokeSessions: asActivity((tools, revocation) => revokeSessions(revocation, deps, tools)),
    runChecks: asActivity(({ signal }, checks) => runChecks(checks, deps, signal)),
    watchMonitors: asActivity((tools, watch) => watchMonitors(watch, deps, tools)),
    rehearseProof: asActivity(({ signal }, hold) => rehearseProof(hold, deps, signal)),
    seeWhoSigns: asActivity(({ signal }, hold) => seeWhoSigns(hold, deps, signal)),
    proveOldRefused: asActivity(({ signal }, hold) => proveOldRefused(hold, deps, signal)),
    findWindow: asActivity((_, window) => Promise.resolve(findWindow(window))),
    findHolder: asActivity((_, workflowId) => deps.findHolder(workflowId)),
    remindApprovers: asActivity((_, reminder) => {
      deps.log('warn', `${reminder.ref} still waits for a decision on "${reminder.gate}" (reminder ${reminder.sent})`, {
        ...reminder,
      });
      return Promise.resolve();
    }),
    recordRotation: asActivity((_, report) => recordRotation(report, deps.ledger)),

    expandBackups: asActivity((_, request) => expandBackups(request, deps)),
    findBackupsOf: asActivity((_, ref) => findBackupsOf(ref, deps)),
    resolveBackup: asActivity((_, request) => resolveBackup(request, deps)),
    checkBackup: asActivity(({ signal }, plan) => checkBackup(plan, deps, signal)),
    makeArchive: asActivity(({ signal }, plan) => makeArchive(plan, deps, signal)),
    proveArchive: asActivity(({ signal }, plan) => proveArchive(plan, deps, signal)),
    setArchiveAside: asActivity((_, request) => setArchiveAside(request, deps)),
    printArchive: asActivity((_, plan) => printArchive(plan, deps)),

    stageCredential: asActivity((tools, hold) => stageCredential(hold, deps, tools)),
    changePassword: asActivity(({ signal }, hold) => changePassword(hold, deps, signal)),
    createRole: asActivity(({ signal }, hold) => createRole(hold, deps, signal)),
    proveNewRole: asActivity(({ signal }, hold) => proveNewRole(hold, deps, signal)),
    removeNewRole: asActivity(({ signal }, hold) => removeNewRole(hold, deps, signal)),
    recompareRights: asActivity(({ signal }, hold) => recompareRights(hold, deps, signal)),
    restoreOldRole: asActivity(({ signal }, hold) => restoreOldRole(hold, deps, signal)),
    disableOldRole: asActivity((tools, hold) => disableOldRole(hold, deps, tools)),
    enableOldRole: asActivity(({ signal }, hold) => enableOldRole(hold, deps, signal)),
    dropOldRole: asActivity(({ signal }, hold) => dropOldRole(hold, deps, signal)),
    proveOldLoginRefused: asActivity(({ signal }, hold) => proveOldLoginRefused(hold, deps, signal)),
    awaitAdoption: asActivity((tools, hold) => awaitAdoption(hold, deps, tools)),
    findSessions: asActivity(({ signal }, hold) => findSessions(hold, deps, signal)),
    findRejected: asActivity(({ signal }, hold) => findRejected(hold, deps, signal)),
    terminateOldSessions: asActivity(({ signal }, hold) => terminateOldSessions(hold, deps, signal)),

    stageKey: asActivity((tools, hold) => stageKey(hold, deps, tools)),
    stopService: asActivity(({ signal }, service) => stopService(service, signal)),
    reencryptAtomically: asActivity((tools, hold) => reencryptAtomically(hold, deps, tools)),
    splitRows: asActivity(({ signal }, hold) => splitRows(hold, deps, signal)),
    reencryptRows: asActivity((tools, hold) => reencryptRows(hold, deps, tools)),
    readRows: asActivity(({ signal }, hold) => readRows(hold, deps, signal)),
    discardKey: asActivity(({ signal }, hold) => discardKey(hold, deps, signal)),
    proveOldKeyUnused: asActivity(({ signal }, hold) => proveOldKeyUnused(hold, deps, signal)),

    resolveRecovery: asActivity((_, request) => planRecovery(request, deps)),
    checkRecovery: asActivity(({ signal }, plan) => checkRecovery(plan, deps, signal)),
    recoverRows: asActivity((tools, hold) => recoverRows(hold, deps, tools)),
    undoRecovery: asActivity((tools, hold) => undoRecovery(hold, deps, tools)),
    findReentries: asActivity(({ signal }, hold) => findReentries(hold, deps, signal)),
    awaitReentries: asActivity((tools, hold) => awaitReentries(hold, deps, tools)),
    destroyQuarantine: asActivity(({ signal }, hold) => destroyQuarantine(hold, deps, signal)),
  };
}
