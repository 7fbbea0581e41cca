/** What happened, for the administrators' activity page and for reviews after a leak. Actions are `auth.…` and `integration.…`. */

/** @typedef {(action: string, username?: string | null, detail?: string) => Promise<void>} ActivityLog */

/** @param {import('pg').Pool} pool @returns {ActivityLog} */
export function createActivityLog(pool) {
  return async (action, username, detail) => {
    await pool.query('INSERT INTO activity_log (action, username, detail) VALUES ($1, $2, $3)', [
      action,
      username?.slice(0, 100) ?? null,
      detail ?? null,
    ]);
  };
}
