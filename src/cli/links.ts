/** Links into Temporal's Web UI. Saved views live in one browser; a link with its query works for everybody. */
import { BACKUP_WORKFLOW_TYPE } from '../domain/messages.js';
import { SEARCH_ATTRIBUTES } from '../domain/status.js';
import { RUNBOOKS } from '../runbooks/index.js';

export interface Ui {
  /** Without a trailing slash; null where no UI address is known. */
  readonly url: string | null;
  readonly namespace: string;
}

/** To the tab that shows the checklist (User Metadata). Without a run id the UI shows the latest run, and no tab can be named. */
export function runLink(ui: Ui, workflowId: string, runId?: string): string | null {
  if (ui.url === null) return null;
  const tab = runId === undefined ? '' : `/${encodeURIComponent(runId)}/user-metadata`;
  return `${root(ui)}/${encodeURIComponent(workflowId)}${tab}`;
}

export function listLink(ui: Ui, query: string): string | null {
  return ui.url === null ? null : `${root(ui)}?query=${encodeURIComponent(query)}`;
}

const TYPES = [...RUNBOOKS.map(({ workflow }) => workflow), BACKUP_WORKFLOW_TYPE];

export const QUERIES = {
  /** Every runbook. By type: a run that no worker has taken yet has no search attributes of its own. */
  running: `WorkflowType IN (${TYPES.map((type) => `"${type}"`).join(', ')}) AND ExecutionStatus = "Running"`,
  awaitingApproval: `${SEARCH_ATTRIBUTES.awaitingApproval} = true AND ExecutionStatus = "Running"`,
} as const;

/** Names come from NAME_PATTERN: nothing in them needs quoting beyond the quotes. */
export function runningQuery(system: string, secret: string): string {
  return `${belongsTo(system, secret)} AND ExecutionStatus = "Running"`;
}

/** Ended runs too. */
export function belongsTo(system: string, secret: string): string {
  return `${SEARCH_ATTRIBUTES.system} = "${system}" AND ${SEARCH_ATTRIBUTES.secret} = "${secret}"`;
}

function root(ui: Ui): string {
  return `${(ui.url ?? '').replace(/\/+$/, '')}/namespaces/${encodeURIComponent(ui.namespace)}/workflows`;
}
