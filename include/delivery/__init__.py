"""Handing messages over, and getting receipts back: the SMS line's tables and connection, the dispatch of a chunk
behind the line's named lock and marker, and the reading of results from queue and log tables."""
