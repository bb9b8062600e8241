"""The state: the only place with SQL. SQLite for one server, PostgreSQL where several share it."""
