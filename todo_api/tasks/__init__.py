"""What can be done with tasks? The six calls under /api/{user_id}/tasks."""
