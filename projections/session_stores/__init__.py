"""The session stores people already program against, each read from views and written as facts."""
