"""Celery's home: the app, what enqueues, and tasks of a few lines that call one flow each."""
