/**
 * The contract every deployer fulfils: make running services use what the store now holds.
 * Idempotent: deploying twice ends in the same state as once.
 */
import type { Evidence } from '../domain/evidence.js';
import type { Container } from './compose-facts.js';

export interface Deployer {
  /** null: what it runs is no container that could be looked at. */
  readonly containers: Containers | null;

  /** Changes nothing. @throws KeyturnError `deployer-unavailable` when the tool, the directory or the engine is missing. */
  preflight(signal: AbortSignal): Promise<Evidence>;

  /**
   * Returns when the tool says it is done; whether the service is well is for its health checks to say.
   * @throws KeyturnError `deploy-failed` (effect `unknown`, retryable) with the tool's last line, redacted.
   */
  deploy(signal: AbortSignal): Promise<Evidence>;

  /** null: the inventory does not say how to stop it. Known before anything is changed. */
  readonly stopping: string | null;

  /**
   * Document 004: what it consumes is changed while it does not run; the next `deploy` starts it again. Idempotent: stopping what
   * stands still is no error. Returns when the tool says that it has stopped.
   * @throws KeyturnError `cannot-stop` where nothing says how; `deploy-failed` (effect `unknown`, retryable).
   */
  stop(signal: AbortSignal): Promise<Evidence>;

  /**
   * What a person would look at first: what the last `deploy` or `stop` of this instance said if it failed, the service's state, and its
   * last log lines, 80 at most. Redacted; the first line says how the service stands. Never throws.
   */
  diagnose(signal: AbortSignal): Promise<string>;
}

/** That a deploy has done what it was for, and nothing besides. Changes nothing. */
export interface Containers {
  /**
   * Which services of the project are given one of these texts, as Compose resolves it: those that this deploy replaces with it, and
   * those that it leaves as they are. The texts do not leave this process. @returns null where Compose does not say.
   */
  reach(texts: readonly string[], signal: AbortSignal): Promise<Reach | null>;

  /**
   * Of the whole project, to be kept from before a deploy: ids, states and times, no values. One that keeps restarting shows as
   * restarting, also when it runs in the moment of the look.
   */
  lookBefore(signal: AbortSignal): Promise<readonly Container[]>;

  /**
   * After a deploy that brings changed files into service. A container that started after the last change of these files counts as
   * replaced by an earlier attempt.
   * @throws KeyturnError `deploy-failed` (not retryable) for one of the service that is the same as before, with the same start.
   */
  assertReplaced(before: readonly Container[], changed: readonly string[], signal: AbortSignal): Promise<void>;

  /**
   * Once the service itself is healthy.
   * @returns what else a person should know: who was in a bad state before already, who is still starting.
   * @throws KeyturnError `deploy-failed` (retryable) for a service of the project that restarts, has failed or is unhealthy now.
   */
  assertProjectWell(before: readonly Container[], signal: AbortSignal): Promise<readonly string[]>;
}

export interface Reach {
  readonly replaced: readonly string[];
  readonly left: readonly string[];
}
