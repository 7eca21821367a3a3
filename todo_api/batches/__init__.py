"""How are many changes sent at once? The call POST /api/{user_id}/tasks/batch."""
