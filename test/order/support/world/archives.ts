/** Archives of a backup: made, proven, or set aside. */
import type { BackupActivities } from '../../../../src/activities/backup-activities.js';
import type { BackupPlan } from '../../../../src/domain/backup.js';
import { said } from './rotation.js';
import { refuse, type Archive, type State } from './state.js';

export function archiveActivities(
  { archives }: State,
  plan: BackupPlan,
): Omit<BackupActivities, 'expandBackups' | 'findBackupsOf'> {
  const of = (run: string): Archive | undefined => archives.find((archive) => archive.run === run);
  return {
    resolveBackup: ({ operator, requestId, at }) => Promise.resolve({ ...plan, operator, requestId, at }),
    checkBackup: () => said('ready'),
    makeArchive: ({ requestId }) => {
      if (!of(requestId)) archives.push({ run: requestId, state: 'made' });
      return said('made');
    },
    proveArchive: ({ requestId }) => {
      const archive = of(requestId) ?? refuse('archive-missing', 'there is none');
      if (archive.state === 'set aside') refuse('archive-missing', 'it is set aside');
      archive.state = 'proven';
      return said('proven');
    },
    setArchiveAside: ({ plan: { requestId } }) => {
      const archive = of(requestId);
      if (archive?.state === 'made') archive.state = 'set aside';
      return said(archive === undefined ? 'there is none' : archive.state);
    },
    printArchive: () => said('printed'),
  };
}
