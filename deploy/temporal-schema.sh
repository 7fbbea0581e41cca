#!/bin/sh
# Brings Temporal's tables to the version of this image. Safe to run again: what is applied is not applied twice.
set -eu
for database in temporal temporal_visibility; do
  folder=${database#temporal_}
  export SQL_DATABASE=$database
  versioned=/etc/temporal/schema/postgresql/v12/$folder/versioned
  # Fails only where there is nothing yet to update: then the bookkeeping tables come first.
  temporal-sql-tool update-schema --schema-dir "$versioned" || {
    temporal-sql-tool setup-schema --version 0.0
    temporal-sql-tool update-schema --schema-dir "$versioned"
  }
done
