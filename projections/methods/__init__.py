"""The methods of Views and AsyncViews, by subject: what they ask the readers for."""
