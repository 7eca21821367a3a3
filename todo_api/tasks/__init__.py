"""What can be done with tasks? The calls under /api/{user_id}/tasks, but for the list."""
