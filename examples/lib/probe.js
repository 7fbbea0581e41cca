/** Asks the application's own health endpoint: exit 0 when it is well. For a container's healthcheck, which has no curl. */
const port = process.env.PORT ?? process.argv[2] ?? '3000';
const healthy = await fetch(`http://127.0.0.1:${port}/api/health`, { signal: AbortSignal.timeout(3_000) }).then(
  (response) => response.ok,
  () => false,
);
process.exitCode = healthy ? 0 : 1;
