"""What is kept: the records, the SQLite store and the WARC archive."""
