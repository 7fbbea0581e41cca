/** Approval policies that can be met, and maintenance windows that open. */
import { Cron } from 'croner';
import { IANAZone } from 'luxon';
import { milliseconds } from '../../domain/durations.js';
import { differentPeople, personProblem } from '../../domain/person.js';
import type { ApprovalPolicy, WindowSpec } from '../../domain/specs/policy.js';
import type { Path } from '../problems.js';
import type { System } from '../schema.js';
import { suggest } from '../suggest.js';
import type { Report } from './findings.js';

interface PolicyHolder {
  readonly approval?: ApprovalPolicy | undefined;
  readonly maintenanceWindow?: WindowSpec | 'none' | undefined;
}

/** Each policy where it is written, whether an environment uses it or not. */
export function checkPolicies(system: System, report: Report): void {
  checkHolder(system, [], report);
  for (const [name, secret] of Object.entries(system.secrets)) checkHolder(secret, ['secrets', name], report);
  system.environments.forEach((environment, index) => {
    const path: Path = ['environments', index];
    checkHolder(environment, path, report);
    for (const [name, override] of Object.entries(environment.secrets ?? {})) {
      if (override !== false) checkHolder(override, [...path, 'secrets', name], report);
    }
  });
}

function checkHolder(holder: PolicyHolder, path: Path, report: Report): void {
  if (holder.approval) checkApproval(holder.approval, [...path, 'approval'], report);
  const window = holder.maintenanceWindow;
  if (window && window !== 'none') checkWindow(window, [...path, 'maintenanceWindow'], report);
}

function checkApproval(approval: ApprovalPolicy, path: Path, report: Report): void {
  const gates = approval.gates ?? [];
  gates.forEach((gate, index) => {
    if (gates.indexOf(gate) !== index) report([...path, 'gates', index], `gate "${gate}" is named twice`);
  });
  approval.allowed?.forEach((person, index) => {
    const problem = personProblem(person);
    if (problem !== null) report([...path, 'allowed', index], `the name of a person ${problem}`);
  });
  const people = approval.allowed && differentPeople(approval.allowed);
  if (people !== undefined && people < approval.approvers) {
    const message = `${approval.approvers} approvers are needed, and ${people} may decide`;
    report([...path, 'approvers'], message, 'allow more people, or need fewer');
  }
  if (milliseconds(approval.expiresAfter) === 0) report([...path, 'expiresAfter'], 'a gate must stay open for a while');
  else if (milliseconds(approval.remindAfter) >= milliseconds(approval.expiresAfter)) {
    const message = `a reminder after ${approval.remindAfter} comes too late for a gate that expires after ${approval.expiresAfter}`;
    report([...path, 'remindAfter'], message);
  }
}

function checkWindow(window: WindowSpec, path: Path, report: Report): void {
  if (milliseconds(window.stays) === 0) report([...path, 'stays'], 'a window must stay open for a while');
  const zoneIsKnown = IANAZone.isValidZone(window.timeZone);
  if (!zoneIsKnown) {
    const hint = suggest(window.timeZone, ['UTC', ...Intl.supportedValuesOf('timeZone')], 'IANA names');
    report([...path, 'timeZone'], `unknown time zone "${window.timeZone}"`, hint);
  }
  try {
    const cron = new Cron(window.opens, { paused: true, timezone: zoneIsKnown ? window.timeZone : 'UTC' });
    if (cron.nextRun() === null) report([...path, 'opens'], `"${window.opens}" never comes`);
  } catch {
    report([...path, 'opens'], `"${window.opens}" is not a cron expression`, 'e.g. "0 2 * * SUN": Sundays at 02:00');
  }
}
