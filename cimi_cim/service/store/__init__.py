"""What no WBEM server holds, in SQLite or PostgreSQL, through SQLAlchemy Core."""
