/** The CLI's connection to Temporal, and its failures in words. Heavy (gRPC): only verbs that talk to Temporal import it. */
import {
  Client,
  Connection,
  isGrpcCancelledError,
  isGrpcDeadlineError,
  isGrpcServiceError,
  ServiceError,
  WorkflowFailedError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import {
  ActivityFailure,
  ApplicationFailure,
  ChildWorkflowFailure,
  NamespaceNotFoundError,
  WorkflowNotFoundError,
} from '@temporalio/common';
import type { TemporalSettings } from '../config.js';
import { KeyturnError } from '../domain/errors.js';
import { invocation } from './invocation.js';

/** gRPC status codes (grpc.github.io/grpc/core/md_doc_statuscodes.html) that mean "nobody there" or "not let in". */
const GRPC = {
  invalidArgument: 3,
  permissionDenied: 7,
  failedPrecondition: 9,
  unavailable: 14,
  unauthenticated: 16,
} as const;

export interface TemporalPlace {
  readonly connectionOptions: TemporalSettings['connectionOptions'];
  readonly namespace?: string;
  /** Where these settings came from, for messages: `TEMPORAL_ADDRESS`, `keyturn up in this directory`. */
  readonly source: string;
}

export interface TemporalClient {
  readonly client: Client;
  readonly address: string;
  close(): Promise<void>;
}

const CONNECT_TIMEOUT = '5s';

/** @throws KeyturnError `temporal-unavailable` when nothing answers within 5 s. */
export async function connectTemporal(place: TemporalPlace): Promise<TemporalClient> {
  const address = place.connectionOptions.address ?? 'localhost:7233';
  try {
    const connection = await Connection.connect({ ...place.connectionOptions, connectTimeout: CONNECT_TIMEOUT });
    const client = new Client({ connection, namespace: place.namespace ?? 'default', identity: 'keyturn' });
    return { client, address, close: () => connection.close() };
  } catch (error) {
    throw new KeyturnError('temporal-unavailable', `cannot reach Temporal at ${address} (${grpcReason(error)})`, {
      hint: `the address comes from ${place.source}; start the server there, or \`npm start\` for everything embedded`,
      retryable: true,
      cause: error,
    });
  }
}

/** Bounds a call: a query to a run that no worker serves would otherwise wait for a long time. */
export function within<T>({ client }: TemporalClient, timeoutMs: number, call: () => Promise<T>): Promise<T> {
  return client.connection.withDeadline(Date.now() + timeoutMs, call);
}

/** True when the server is there but no worker answered in time (a query or an update needs one). */
export function isNoWorker(error: unknown): boolean {
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError || isTimeout(error)) return true;
  const status = grpcStatus(error);
  return status?.code === GRPC.failedPrecondition && /no poller/i.test(status.details);
}

/** True when the run is there and its workflow task fails, attempt after attempt: nothing can be asked of it. */
export function isTaskFailing(error: unknown): boolean {
  const status = grpcStatus(error);
  return status?.code === GRPC.failedPrecondition && /workflow task in failed state/i.test(status.details);
}

/** True of a run that has ended before any worker took it on: there is nobody in it who could be asked. */
export function isUntaken(error: unknown): boolean {
  return /closed before WorkflowTaskStarted/i.test(grpcStatus(error)?.details ?? '');
}

/**
 * The deadline of a call passes on both sides at once. Where the server's end of the stream arrives before the client's own
 * timer, gRPC says "cancelled" for it; nothing here cancels a call otherwise.
 */
function isTimeout(error: unknown): boolean {
  return isGrpcDeadlineError(error) || isGrpcCancelledError(error);
}

/** True when the server does not know the search attributes: no worker has ever started against this namespace. */
export function isUnknownSearchAttribute(error: unknown): boolean {
  const status = grpcStatus(error);
  return status?.code === GRPC.invalidArgument && /search attribute|invalid query|column name/i.test(status.details);
}

/** The runbook's own failure inside an update's or a workflow's error, if that is what it is. */
export function applicationFailureOf(error: unknown): ApplicationFailure | undefined {
  if (error instanceof ApplicationFailure) return error;
  const wrapper =
    error instanceof WorkflowUpdateFailedError ||
    error instanceof WorkflowFailedError ||
    error instanceof ActivityFailure ||
    error instanceof ChildWorkflowFailure;
  return wrapper ? applicationFailureOf(error.cause) : undefined;
}

/** Everything that Temporal's client throws, as the error a person can act on. Other errors pass unchanged. */
export function fromTemporal(error: unknown, address: string): unknown {
  if (error instanceof KeyturnError) return error;
  if (isTimeout(error)) {
    return new KeyturnError('temporal-unavailable', `Temporal at ${address} did not answer in time`, {
      retryable: true,
      cause: error,
    });
  }
  if (error instanceof WorkflowNotFoundError) {
    return new KeyturnError('run-not-found', `there is no run "${error.workflowId}"`, {
      hint: `see what runs: ${invocation()} status`,
      cause: error,
    });
  }
  if (error instanceof NamespaceNotFoundError) {
    return new KeyturnError('temporal-unavailable', `Temporal at ${address} has no namespace "${error.namespace}"`, {
      hint: 'set TEMPORAL_NAMESPACE, or create it: temporal operator namespace create',
      cause: error,
    });
  }
  const status = grpcStatus(error);
  if (!status) return error;
  if (status.code === GRPC.permissionDenied || status.code === GRPC.unauthenticated) {
    return new KeyturnError('temporal-unavailable', `Temporal at ${address} refuses this sign-in (${status.details})`, {
      hint: 'check TEMPORAL_API_KEY, TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_PROFILE',
      cause: error,
    });
  }
  if (status.code === GRPC.unavailable) {
    return new KeyturnError('temporal-unavailable', `cannot reach Temporal at ${address} (${status.details})`, {
      retryable: true,
      cause: error,
    });
  }
  return new KeyturnError('temporal-refused', `Temporal at ${address} answered: ${status.details}`, { cause: error });
}

function grpcStatus(error: unknown): { code: number; details: string } | undefined {
  const inner = error instanceof ServiceError ? error.cause : error;
  if (!isGrpcServiceError(inner)) return undefined;
  return { code: inner.code, details: inner.details };
}

function grpcReason(error: unknown): string {
  const status = grpcStatus(error);
  if (status) return status.details;
  if (isTimeout(error)) return 'no answer within 5 s';
  return error instanceof Error ? error.message : String(error);
}
