"""arena: collects public posts from several platforms. FastAPI, PostgreSQL, two secrets."""
