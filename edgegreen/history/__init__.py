"""Every run, kept in a database: SQLite for one user, PostgreSQL for a team, by the same code.

`spool` holds the runs on their way into it, `intake` takes them in, `store` is the database, `schema` and
`migrations` its tables, `shelf` what is read: the database, and what is still in the spool.
"""
