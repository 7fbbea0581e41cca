#!/bin/bash
# Run once by the postgres image, when its volume is empty: one owner for each database. The ledger's tables belong to keyturn_owner, as
# whom only `keyturn ledger migrate` signs in; the worker signs in as keyturn, and adds rows and reads them.
set -euo pipefail
# \getenv: a password on a command line is everybody's to read.
psql --set ON_ERROR_STOP=1 --no-psqlrc --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\getenv temporal_password TEMPORAL_DATABASE_PASSWORD
\getenv ledger_owner_password LEDGER_OWNER_PASSWORD
\getenv ledger_password LEDGER_DATABASE_PASSWORD
-- A statement that carries a password must not reach the log, also when it fails.
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
CREATE ROLE temporal LOGIN PASSWORD :'temporal_password';
CREATE ROLE keyturn_owner LOGIN PASSWORD :'ledger_owner_password';
CREATE ROLE keyturn LOGIN PASSWORD :'ledger_password';
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;
CREATE DATABASE keyturn OWNER keyturn_owner;
REVOKE ALL ON DATABASE temporal, temporal_visibility, keyturn FROM PUBLIC;
GRANT CONNECT ON DATABASE keyturn TO keyturn;
SQL
