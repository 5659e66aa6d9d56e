"""How views are read: rows, lists, search and history, as plans for threads and tasks."""
