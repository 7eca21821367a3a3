"""What is shown of tasks, and in which order? The call GET /api/{user_id}/tasks."""
